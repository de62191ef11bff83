import { Popover } from '@base-ui/react/popover'
import type { ReactElement } from 'react'
import type { Message, Stats } from '../chat/types.ts'
import { count, money, shortDuration, spokenDuration } from './format.ts'

function cachedShare(stats: Stats): string | undefined {
  if (stats.cachedTokens === undefined || stats.promptTokens === 0) return undefined
  return `${Math.round((100 * stats.cachedTokens) / stats.promptTokens)} %`
}

function rows(message: Message, stats: Stats): [string, string][] {
  const list: [string, string][] = [
    ['Prompt', `${count(stats.promptTokens)} tokens`],
    ['Answer', `${count(stats.completionTokens - stats.reasoningTokens)} tokens`],
  ]
  const share = cachedShare(stats)
  if (share) list.splice(1, 0, ['From the cache', `${count(stats.cachedTokens ?? 0)} (${share})`])
  if (stats.reasoningTokens > 0) {
    const time = message.reasoningMs ? `, ${spokenDuration(message.reasoningMs)}` : ''
    list.push(['Thinking', `${count(stats.reasoningTokens)} tokens${time}`])
  }
  if (stats.ttftMs !== undefined) list.push(['First token after', shortDuration(stats.ttftMs)])
  if (stats.tokensPerSecond !== undefined)
    list.push(['Speed', `${stats.tokensPerSecond.toFixed(1)} tokens/s`])
  if (stats.cost) list.push(['Cost', money(stats.cost.amount, stats.cost.currency)])
  if (message.model) list.push(['Model', message.model])
  return list
}

/** Speed and tokens in a line; the rest opens from it. */
export function StatsLine({ message }: { message: Message }): ReactElement | null {
  const { stats } = message
  if (!stats) return null
  const speed =
    stats.tokensPerSecond === undefined ? '' : `${stats.tokensPerSecond.toFixed(1)} tokens/s`
  const parts = [speed, `${count(stats.completionTokens)} tokens`]
  if (stats.cost) parts.push(money(stats.cost.amount, stats.cost.currency))
  return (
    <Popover.Root>
      <Popover.Trigger className="stats-line" aria-label={`Statistics: ${parts.join(', ')}`}>
        {parts.filter(Boolean).map((part) => (
          <span key={part}>{part}</span>
        ))}
      </Popover.Trigger>
      <Popover.Portal>
        <Popover.Positioner sideOffset={6} align="end" className="popup-positioner">
          <Popover.Popup className="popup stats" aria-label="Statistics">
            <dl>
              {rows(message, stats).map(([name, value]) => (
                <div key={name}>
                  <dt>{name}</dt>
                  <dd>{value}</dd>
                </div>
              ))}
            </dl>
          </Popover.Popup>
        </Popover.Positioner>
      </Popover.Portal>
    </Popover.Root>
  )
}
