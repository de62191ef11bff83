// Tells a screen reader what happens, in few words and not too often: the state of the answer at once, its text
// in whole sentences at most every four seconds.
import { type ReactElement, useEffect, useRef, useState } from 'react'
import { useChats } from './app-context.ts'
import { spokenDuration } from './format.ts'

const everyMs = 4000

function useAnswerText(id: string | undefined): string {
  return useChats((state) => (id ? (state.messages[id]?.content ?? '') : ''))
}

export function Announcer(): ReactElement {
  const run = useChats((state) => (state.openId ? state.runs[state.openId] : undefined))
  const phase = run?.phase.type
  const text = useAnswerText(run?.messageId)
  const thoughtMs = useChats((state) => state.messages[run?.messageId ?? '']?.reasoningMs)
  const [spoken, setSpoken] = useState('')
  const said = useRef({ length: 0, at: 0 })
  useEffect(() => {
    if (phase === 'thinking') setSpoken('Thinking')
    else if (phase === 'sent') said.current = { length: 0, at: 0 }
    else if (phase === undefined && said.current.at > 0) setSpoken('Answer finished')
  }, [phase])
  useEffect(() => {
    const { length, at } = said.current
    if (phase !== 'answering' || Date.now() - at < everyMs) return
    const fresh = text.slice(length)
    const end = Math.max(fresh.lastIndexOf('. '), fresh.lastIndexOf('\n'))
    if (end < 0 && length > 0) return
    const opening = length === 0 && thoughtMs ? `Thought for ${spokenDuration(thoughtMs)}. ` : ''
    said.current = { length: length + Math.max(0, end + 1), at: Date.now() }
    setSpoken(opening + fresh.slice(0, Math.max(0, end + 1)))
  }, [text, phase, thoughtMs])
  return (
    <div className="visually-hidden" role="status" aria-live="polite">
      {spoken}
    </div>
  )
}
