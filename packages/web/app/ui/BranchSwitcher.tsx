import { ChevronLeft, ChevronRight } from 'lucide-react'
import type { ReactElement } from 'react'
import { keyOf } from '../chat/tree.ts'
import type { Message } from '../chat/types.ts'
import { usePage } from './app-context.ts'
import { IconButton } from './IconButton.tsx'

interface Props {
  message: Message
  siblings: readonly string[]
}

/** ‹ 2/3 › between versions of a question or of an answer. */
export function BranchSwitcher({ message, siblings }: Props): ReactElement | null {
  const { chats } = usePage()
  if (siblings.length < 2) return null
  const at = siblings.indexOf(message.id)
  const show = (index: number) => {
    const chat = chats.getState().chats.find(({ id }) => id === message.chatId)
    const child = siblings[index]
    if (!chat || !child) return
    const selected = { ...chat.selected, [keyOf(message.parentId)]: child }
    chats.patchChat(chat.id, { selected })
  }
  return (
    <fieldset className="branches" aria-label="Versions">
      <IconButton label="Earlier version" disabled={at <= 0} onClick={() => show(at - 1)}>
        <ChevronLeft />
      </IconButton>
      <span aria-live="polite">
        {at + 1}/{siblings.length}
      </span>
      <IconButton
        label="Later version"
        disabled={at >= siblings.length - 1}
        onClick={() => show(at + 1)}
      >
        <ChevronRight />
      </IconButton>
    </fieldset>
  )
}
