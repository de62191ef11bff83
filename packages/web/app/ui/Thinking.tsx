// The thinking of an answer: live in a window that follows its newest lines, then folded to one line. After
// the reader has opened or closed it once, it stays as they left it.
import { Collapsible } from '@base-ui/react/collapsible'
import { ChevronRight, FastForward } from 'lucide-react'
import { type ReactElement, useEffect, useRef, useState } from 'react'
import { endThinkingNow } from '../chat/answer.ts'
import type { Run } from '../chat/store.ts'
import type { Message } from '../chat/types.ts'
import { Markdown } from '../markdown/Markdown.tsx'
import { usePage, useSettings } from './app-context.ts'
import { clock, spokenDuration } from './format.ts'
import { useNow } from './useNow.ts'

interface Props {
  message: Message
  run: Run | undefined
}

function Clock({ since }: { since: number }) {
  const now = useNow(100, true)
  return <span className="thinking-clock">{clock(now - since)}</span>
}

function Title({
  message,
  since,
  cut,
}: {
  message: Message
  since: number | undefined
  cut: boolean
}) {
  if (since !== undefined)
    return (
      <>
        <span className="pulse" aria-hidden="true" />
        <span className="shimmer">Thinking</span>
        <Clock since={since} />
      </>
    )
  const duration = spokenDuration(message.reasoningMs ?? 0)
  return (
    <span key="done">
      {cut ? `Stopped after thinking for ${duration}` : `Thought for ${duration}`}
    </span>
  )
}

function EndNow({ run }: { run: Run }) {
  const page = usePage()
  const end = () => void endThinkingNow(page.answers, page.chats.getState().openId ?? '')
  return (
    <button
      type="button"
      className="text-button end-thinking"
      disabled={run.endingThinking || !run.completionId}
      onClick={end}
    >
      <FastForward aria-hidden="true" />
      {run.endingThinking ? 'Ending…' : 'Answer now'}
    </button>
  )
}

/** Keeps the newest line in sight, unless the reader scrolls back inside the window. */
function useNewestLine(text: string, live: boolean) {
  const box = useRef<HTMLDivElement>(null)
  const following = useRef(true)
  useEffect(() => {
    const element = box.current
    if (element && live && following.current) element.scrollTop = element.scrollHeight
  }, [text, live])
  const onScroll = () => {
    const element = box.current
    if (!element) return
    following.current = element.scrollHeight - element.scrollTop - element.clientHeight < 24
  }
  return { box, onScroll }
}

export function Thinking({ message, run }: Props): ReactElement | null {
  const keepOpen = useSettings((settings) => settings.keepThinkingOpen)
  const [chosen, setChosen] = useState<boolean | undefined>(undefined)
  const since = run?.phase.type === 'thinking' ? run.phase.since : undefined
  const live = since !== undefined
  // It ended in the middle of thinking: there is no answer to show instead.
  const unanswered = !run && message.content === '' && message.toolCalls.length === 0
  const cut = unanswered && message.outcome.type !== 'done'
  const open = chosen ?? (live || unanswered || keepOpen)
  // Folding by itself it shrinks from the window, not from its full height.
  const windowed = live || (!open && chosen === undefined)
  const { box, onScroll } = useNewestLine(message.reasoning, live)
  if (message.reasoning === '') return null
  return (
    <Collapsible.Root
      className="thinking"
      data-live={live || undefined}
      data-window={windowed || undefined}
      open={open}
      onOpenChange={setChosen}
    >
      <div className="thinking-head">
        <Collapsible.Trigger className="thinking-title">
          <ChevronRight className="chevron" aria-hidden="true" />
          <Title message={message} since={since} cut={cut} />
        </Collapsible.Trigger>
        {live && run ? <EndNow run={run} /> : null}
      </div>
      <Collapsible.Panel className="thinking-panel">
        <div ref={box} onScroll={onScroll} className="thinking-text" tabIndex={0}>
          <Markdown text={message.reasoning} streaming={live} />
        </div>
      </Collapsible.Panel>
    </Collapsible.Root>
  )
}
