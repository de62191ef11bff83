import { Menu } from '@base-ui/react/menu'
import { Ellipsis, FileJson, FileText, Pencil, Trash2 } from 'lucide-react'
import { type KeyboardEvent, type ReactElement, useEffect, useRef, useState } from 'react'
import type { Chat } from '../chat/types.ts'
import { useChats, usePage } from './app-context.ts'
import { useUi } from './ui-state.ts'
import { useDeleteChat } from './useDelete.ts'
import { useExport } from './useExport.ts'

function Rename({ chat, close }: { chat: Chat; close(): void }) {
  const { chats } = usePage()
  const input = useRef<HTMLInputElement>(null)
  useEffect(() => input.current?.select(), [])
  const save = () => {
    const title = input.current?.value.trim()
    if (title && title !== chat.title) chats.patchChat(chat.id, { title })
    close()
  }
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key === 'Enter') save()
    if (event.key === 'Escape') {
      event.stopPropagation()
      close()
    }
  }
  return (
    <input
      ref={input}
      className="rename"
      aria-label="Title"
      defaultValue={chat.title}
      maxLength={200}
      onBlur={save}
      onKeyDown={onKeyDown}
    />
  )
}

function ChatMenu({ chat, rename }: { chat: Chat; rename(): void }) {
  const remove = useDeleteChat()
  const { exportJson, exportMarkdown } = useExport()
  return (
    <Menu.Root>
      <Menu.Trigger className="icon-button" aria-label={`Actions for “${chat.title}”`}>
        <Ellipsis />
      </Menu.Trigger>
      <Menu.Portal>
        <Menu.Positioner className="popup-positioner" sideOffset={4} align="start">
          {/* The rename field takes the focus itself. */}
          <Menu.Popup className="popup menu" finalFocus={false}>
            <Menu.Item className="menu-item" onClick={rename}>
              <Pencil aria-hidden="true" /> Rename
            </Menu.Item>
            <Menu.Item className="menu-item" onClick={() => void exportMarkdown(chat)}>
              <FileText aria-hidden="true" /> Export as Markdown
            </Menu.Item>
            <Menu.Item className="menu-item" onClick={() => void exportJson([chat])}>
              <FileJson aria-hidden="true" /> Export as JSON
            </Menu.Item>
            <Menu.Separator className="menu-separator" />
            <Menu.Item className="menu-item danger" onClick={() => void remove(chat)}>
              <Trash2 aria-hidden="true" /> Delete
            </Menu.Item>
          </Menu.Popup>
        </Menu.Positioner>
      </Menu.Portal>
    </Menu.Root>
  )
}

export function ChatItem({ chat }: { chat: Chat }): ReactElement {
  const { chats } = usePage()
  const ui = useUi()
  const current = useChats((state) => state.openId === chat.id)
  const running = useChats((state) => state.runs[chat.id] !== undefined)
  const [renaming, setRenaming] = useState(false)
  if (renaming)
    return (
      <li className="chat-item">
        <Rename chat={chat} close={() => setRenaming(false)} />
      </li>
    )
  const open = () => {
    void chats.open(chat.id)
    ui.closeDrawer()
  }
  return (
    <li className="chat-item" data-current={current || undefined}>
      <button
        type="button"
        className="chat-link"
        aria-current={current ? 'page' : undefined}
        onClick={open}
      >
        {running ? <span className="pulse" aria-hidden="true" /> : null}
        <span className="chat-title">{chat.title}</span>
      </button>
      <ChatMenu chat={chat} rename={() => setRenaming(true)} />
    </li>
  )
}
