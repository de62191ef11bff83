// The open chat: its shown branch, following the newest text while the reader is at the end.
import { ArrowDown } from 'lucide-react'
import { type ReactElement, useEffect, useMemo } from 'react'
import { pathOf } from '../chat/tree.ts'
import type { Chat } from '../chat/types.ts'
import { AssistantMessage } from './AssistantMessage.tsx'
import { useChats } from './app-context.ts'
import { IconButton } from './IconButton.tsx'
import { UserMessage } from './UserMessage.tsx'
import { useStickToBottom } from './useStickToBottom.ts'

export function Conversation({ chat }: { chat: Chat }): ReactElement {
  const messages = useChats((state) => state.messages)
  const run = useChats((state) => state.runs[chat.id])
  const path = useMemo(() => pathOf(chat, messages), [chat, messages])
  const { scroller, content, atBottom, toBottom } = useStickToBottom()
  const lastId = path.at(-1)?.message.id
  const runId = run?.messageId
  // A chat opens at its end, and a new question goes there.
  useEffect(() => toBottom(), [chat.id, toBottom])
  useEffect(() => {
    if (runId) toBottom()
  }, [runId, toBottom])
  return (
    <div className="conversation">
      <div
        ref={scroller}
        className="scroller"
        tabIndex={0}
        role="log"
        aria-live="off"
        aria-label="Conversation"
      >
        <div ref={content} className="column messages">
          {path.map(({ message, siblings }) =>
            message.role === 'user' ? (
              <UserMessage
                key={message.id}
                message={message}
                siblings={siblings}
                isLast={message.id === lastId}
              />
            ) : (
              <AssistantMessage
                key={message.id}
                message={message}
                siblings={siblings}
                run={runId === message.id ? run : undefined}
                isLast={message.id === lastId}
              />
            ),
          )}
        </div>
      </div>
      {atBottom ? null : (
        <IconButton className="to-bottom" label="To the newest" onClick={() => toBottom(true)}>
          <ArrowDown />
        </IconButton>
      )}
    </div>
  )
}
