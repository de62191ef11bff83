import { PanelLeft, SquarePen } from 'lucide-react'
import type { ReactElement } from 'react'
import type { Chat } from '../chat/types.ts'
import { usePage, useSettings } from './app-context.ts'
import { IconButton } from './IconButton.tsx'
import { useNarrow } from './media.ts'
import { useUi } from './ui-state.ts'

export function Header({ chat }: { chat: Chat | undefined }): ReactElement {
  const { chats } = usePage()
  const ui = useUi()
  const narrow = useNarrow()
  const sidebarOpen = useSettings((settings) => settings.sidebarOpen) && !narrow
  const newChat = () => {
    void chats.open(null)
    ui.focusInput()
  }
  return (
    <header className="header">
      {sidebarOpen ? null : (
        <IconButton label="Open sidebar" keys="Ctrl+B" onClick={ui.toggleSidebar}>
          <PanelLeft />
        </IconButton>
      )}
      {chat ? <h1 className="header-title">{chat.title}</h1> : <span className="header-title" />}
      {sidebarOpen ? null : (
        <IconButton label="New chat" keys="Ctrl+Shift+O" onClick={newChat}>
          <SquarePen />
        </IconButton>
      )}
    </header>
  )
}
