import { Play, RotateCcw, Trash2, TriangleAlert, Wrench } from 'lucide-react'
import { memo, type ReactElement } from 'react'
import { continueAnswer, regenerate } from '../chat/answer.ts'
import type { Run } from '../chat/store.ts'
import type { Message } from '../chat/types.ts'
import { Markdown } from '../markdown/Markdown.tsx'
import { usePage, useSettings } from './app-context.ts'
import { BranchSwitcher } from './BranchSwitcher.tsx'
import { CopyButton } from './CopyButton.tsx'
import { Guard } from './Guard.tsx'
import { IconButton } from './IconButton.tsx'
import { RunNotice } from './RunNotice.tsx'
import { StatsLine } from './StatsLine.tsx'
import { sameMessage } from './same-message.ts'
import { Thinking } from './Thinking.tsx'
import { useDeleteMessage } from './useDelete.ts'

interface Props {
  message: Message
  siblings: readonly string[]
  run: Run | undefined
  isLast: boolean
}

function ToolCalls({ message }: { message: Message }) {
  return message.toolCalls.map((call) => (
    <details key={call.id || call.name} className="tool-call">
      <summary>
        <Wrench aria-hidden="true" />
        Wants to call <code>{call.name}</code>
      </summary>
      <pre>{call.arguments}</pre>
    </details>
  ))
}

const cutTexts = { stopped: 'Stopped', length: 'Cut at the token limit' }

/** How an answer ended, when it did not end by itself, and the way on. */
function Ending({ message }: { message: Message }) {
  const { answers } = usePage()
  const { outcome } = message
  if (outcome.type === 'streaming') return null
  if (outcome.type === 'done')
    return message.content === '' && message.toolCalls.length === 0 ? (
      <div className="ending">The model ended without an answer.</div>
    ) : null
  const failed = outcome.type === 'error'
  const empty = message.content === '' && message.reasoning === ''
  return (
    <div className={failed ? 'ending failed' : 'ending'} role={failed ? 'alert' : undefined}>
      {failed ? <TriangleAlert aria-hidden="true" /> : null}
      <span>{failed ? outcome.message : cutTexts[outcome.type]}</span>
      <button
        type="button"
        className="text-button"
        onClick={() => void continueAnswer(answers, message.id)}
      >
        {empty ? <RotateCcw aria-hidden="true" /> : <Play aria-hidden="true" />}
        {empty ? 'Try again' : 'Continue'}
      </button>
    </div>
  )
}

function Actions({ message, siblings }: Pick<Props, 'message' | 'siblings'>) {
  const { answers } = usePage()
  const showStats = useSettings((settings) => settings.showStats)
  const remove = useDeleteMessage()
  return (
    <div className="actions">
      <BranchSwitcher message={message} siblings={siblings} />
      <CopyButton text={message.content || message.reasoning} label="Copy answer" />
      <IconButton label="Regenerate" onClick={() => void regenerate(answers, message.id)}>
        <RotateCcw />
      </IconButton>
      <IconButton label="Delete answer" onClick={() => void remove(message)}>
        <Trash2 />
      </IconButton>
      {showStats ? <StatsLine message={message} /> : null}
    </div>
  )
}

export const AssistantMessage = memo(function AssistantMessage(props: Props): ReactElement {
  const { message, siblings, run, isLast } = props
  const streaming = message.outcome.type === 'streaming'
  return (
    <article className="message assistant" data-last={isLast || undefined} aria-label="Answer">
      <h2 className="visually-hidden">Answer</h2>
      {run ? <RunNotice run={run} /> : null}
      <Guard text={message.reasoning}>
        <Thinking message={message} run={run} />
      </Guard>
      {message.content ? (
        <Guard text={message.content}>
          <Markdown text={message.content} streaming={streaming} />
        </Guard>
      ) : null}
      <ToolCalls message={message} />
      {run ? null : <Ending message={message} />}
      {run ? (
        <div className="actions" aria-hidden="true" />
      ) : (
        <Actions message={message} siblings={siblings} />
      )}
    </article>
  )
}, sameMessage)
