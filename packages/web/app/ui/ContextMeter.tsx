import { Tooltip } from '@base-ui/react/tooltip'
import { type ReactElement, useMemo } from 'react'
import { pathOf } from '../chat/tree.ts'
import { useChats, useServer } from './app-context.ts'
import { count } from './format.ts'

function useUsedTokens(): number {
  const openId = useChats((state) => state.openId)
  const chats = useChats((state) => state.chats)
  const messages = useChats((state) => state.messages)
  return useMemo(() => {
    const chat = chats.find(({ id }) => id === openId)
    if (!chat) return 0
    const last = pathOf(chat, messages).findLast(({ message }) => message.stats)
    const stats = last?.message.stats
    return stats ? stats.promptTokens + stats.completionTokens : 0
  }, [openId, chats, messages])
}

/** How much of the context window the conversation fills; drawn from a quarter on. */
export function ContextMeter(): ReactElement | null {
  const server = useServer()
  const used = useUsedTokens()
  const length = server.type === 'ok' ? server.contextLength : undefined
  if (!length || used < length / 4) return null
  const share = Math.min(1, used / length)
  const text = `${count(used)} of ${count(length)} tokens of context used`
  return (
    <Tooltip.Root>
      <Tooltip.Trigger
        className="context-meter"
        aria-label={text}
        data-full={share > 0.85 || undefined}
      >
        <svg viewBox="0 0 20 20" aria-hidden="true">
          <circle cx="10" cy="10" r="8" pathLength={100} />
          <circle cx="10" cy="10" r="8" pathLength={100} strokeDasharray={`${share * 100} 100`} />
        </svg>
      </Tooltip.Trigger>
      <Tooltip.Portal>
        <Tooltip.Positioner sideOffset={6} className="tooltip-positioner">
          <Tooltip.Popup className="tooltip">{text}</Tooltip.Popup>
        </Tooltip.Positioner>
      </Tooltip.Portal>
    </Tooltip.Root>
  )
}
