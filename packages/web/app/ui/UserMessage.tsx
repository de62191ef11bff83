import { Pencil, RotateCcw, Trash2 } from 'lucide-react'
import {
  type KeyboardEvent,
  memo,
  type ReactElement,
  useLayoutEffect,
  useRef,
  useState,
} from 'react'
import { answerQuestion, editQuestion } from '../chat/answer.ts'
import type { Message } from '../chat/types.ts'
import { usePage } from './app-context.ts'
import { BranchSwitcher } from './BranchSwitcher.tsx'
import { CopyButton } from './CopyButton.tsx'
import { IconButton } from './IconButton.tsx'
import { sameMessage } from './same-message.ts'
import { useDeleteMessage } from './useDelete.ts'

interface Props {
  message: Message
  siblings: readonly string[]
  isLast: boolean
}

function Editor({ message, close }: { message: Message; close: () => void }) {
  const { answers } = usePage()
  const [text, setText] = useState(message.content)
  const area = useRef<HTMLTextAreaElement>(null)
  useLayoutEffect(() => {
    area.current?.focus()
    area.current?.setSelectionRange(area.current.value.length, area.current.value.length)
  }, [])
  const send = () => {
    if (text.trim() === '') return
    close()
    void editQuestion(answers, message.id, text.trim())
  }
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key === 'Escape') {
      event.stopPropagation()
      close()
    }
    if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) send()
  }
  return (
    <div className="editor">
      <textarea
        ref={area}
        aria-label="Edit question"
        value={text}
        onChange={(event) => setText(event.target.value)}
        onKeyDown={onKeyDown}
      />
      <div className="editor-buttons">
        <button type="button" className="button" onClick={close}>
          Cancel
        </button>
        <button type="button" className="button primary" onClick={send} disabled={!text.trim()}>
          Send
        </button>
      </div>
    </div>
  )
}

export const UserMessage = memo(function UserMessage(props: Props): ReactElement {
  const { message, siblings, isLast } = props
  const { answers } = usePage()
  const [editing, setEditing] = useState(false)
  const remove = useDeleteMessage()
  if (editing) return <Editor message={message} close={() => setEditing(false)} />
  return (
    <article className="message user" data-last={isLast || undefined} aria-label="Question">
      <h2 className="visually-hidden">Question</h2>
      <div className="bubble">{message.content}</div>
      <div className="actions">
        {isLast ? (
          <IconButton label="Answer" onClick={() => void answerQuestion(answers, message.id)}>
            <RotateCcw />
          </IconButton>
        ) : null}
        <CopyButton text={message.content} label="Copy question" />
        <IconButton label="Edit question" onClick={() => setEditing(true)}>
          <Pencil />
        </IconButton>
        <IconButton label="Delete question" onClick={() => void remove(message)}>
          <Trash2 />
        </IconButton>
        <BranchSwitcher message={message} siblings={siblings} />
      </div>
    </article>
  )
}, sameMessage)
