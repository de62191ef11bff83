// Where questions are written. The draft of each chat outlives a switch to another one.
import { ArrowUp, Square } from 'lucide-react'
import { type KeyboardEvent, type ReactElement, type RefObject, useEffect, useState } from 'react'
import { ask } from '../chat/answer.ts'
import { useChats, usePage, useServer, useSettings } from './app-context.ts'
import { ContextMeter } from './ContextMeter.tsx'
import { IconButton } from './IconButton.tsx'
import { useTouch } from './media.ts'
import { ThinkControls } from './ThinkControls.tsx'

const drafts = new Map<string, string>()

function useDraft(chatId: string | null) {
  const key = chatId ?? 'new'
  const [, redraw] = useState(0)
  const change = (text: string) => {
    drafts.set(key, text)
    redraw((n) => n + 1)
  }
  return [drafts.get(key) ?? '', change] as const
}

/** Whether a key press sends. On a touch keyboard Enter is a new line; the button sends. */
function sends(event: KeyboardEvent, sendKey: string, touch: boolean): boolean {
  // While a CJK input method composes, Enter chooses a candidate.
  if (event.key !== 'Enter' || event.nativeEvent.isComposing) return false
  const mod = event.ctrlKey || event.metaKey
  if (mod) return true
  return sendKey === 'enter' && !touch && !event.shiftKey && !event.altKey
}

function SendButton({ running, empty, send }: { running: boolean; empty: boolean; send(): void }) {
  const { chats } = usePage()
  const stop = () => {
    const { runs, openId } = chats.getState()
    runs[openId ?? '']?.stop()
  }
  return running ? (
    <IconButton className="send stop" label="Stop" keys="Esc" onClick={stop}>
      <Square />
    </IconButton>
  ) : (
    <IconButton className="send" label="Send" disabled={empty} onClick={send}>
      <ArrowUp />
    </IconButton>
  )
}

export function Composer({
  input,
}: {
  input: RefObject<HTMLTextAreaElement | null>
}): ReactElement {
  const { answers } = usePage()
  const openId = useChats((state) => state.openId)
  const running = useChats((state) => state.runs[state.openId ?? ''] !== undefined)
  const sendKey = useSettings((settings) => settings.sendKey)
  const touch = useTouch()
  const server = useServer()
  const [draft, setDraft] = useDraft(openId)
  // At each chat; on a phone the keyboard would cover half of it.
  useEffect(() => {
    if (!touch) input.current?.focus()
  }, [openId, touch, input])
  const send = () => {
    const text = draft.trim()
    if (text === '' || running) return
    setDraft('')
    void ask(answers, text)
  }
  const onKeyDown = (event: KeyboardEvent) => {
    if (!sends(event, sendKey, touch)) return
    event.preventDefault()
    send()
  }
  const name = server.type === 'ok' ? server.model : 'the model'
  return (
    <div className="column composer">
      <div className="composer-card">
        <textarea
          ref={input}
          rows={1}
          value={draft}
          placeholder={`Ask ${name} anything`}
          aria-label="Your question"
          enterKeyHint={touch ? 'enter' : 'send'}
          onChange={(event) => setDraft(event.target.value)}
          onKeyDown={onKeyDown}
        />
        <div className="composer-row">
          <ThinkControls />
          <span className="spacer" />
          <ContextMeter />
          <SendButton running={running} empty={draft.trim() === ''} send={send} />
        </div>
      </div>
    </div>
  )
}
