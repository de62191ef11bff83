import { PanelLeft, Search, Settings, SquarePen } from 'lucide-react'
import type { ReactElement } from 'react'
import type { Chat } from '../chat/types.ts'
import { useChats, usePage, useServer } from './app-context.ts'
import { ChatItem } from './ChatItem.tsx'
import { type AgeGroup, ageGroup } from './format.ts'
import { IconButton } from './IconButton.tsx'
import { Mark } from './Mark.tsx'
import { useUi } from './ui-state.ts'

function grouped(chats: readonly Chat[]): [AgeGroup, Chat[]][] {
  const groups = new Map<AgeGroup, Chat[]>()
  const now = Date.now()
  for (const chat of chats) {
    const group = ageGroup(chat.updatedAt, now)
    const list = groups.get(group)
    if (list) list.push(chat)
    else groups.set(group, [chat])
  }
  return [...groups]
}

function History() {
  const chats = useChats((state) => state.chats)
  if (chats.length === 0)
    return (
      <p className="no-history">
        Your chats will be listed here. They are kept in this browser only.
      </p>
    )
  return (
    <nav className="history" aria-label="Chats">
      {grouped(chats).map(([group, list]) => (
        <section key={group} aria-label={group}>
          <h2>{group}</h2>
          <ul>
            {list.map((chat) => (
              <ChatItem key={chat.id} chat={chat} />
            ))}
          </ul>
        </section>
      ))}
    </nav>
  )
}

const stateTexts = {
  unknown: 'Connecting…',
  loading: 'Loading the model…',
  offline: 'Not connected',
  failed: 'No model',
}

function ServerLine() {
  const server = useServer()
  const text = server.type === 'ok' ? server.model : stateTexts[server.type]
  return (
    <span className="server-line" data-state={server.type}>
      <span className="dot" aria-hidden="true" />
      <span className="server-name">{text}</span>
    </span>
  )
}

export function Sidebar(): ReactElement {
  const { chats } = usePage()
  const ui = useUi()
  const newChat = () => {
    void chats.open(null)
    ui.closeDrawer()
    ui.focusInput()
  }
  return (
    <div className="sidebar-inner">
      <header className="sidebar-head">
        <Mark />
        <span className="brand">Hadal</span>
        <IconButton label="Close sidebar" keys="Ctrl+B" onClick={ui.toggleSidebar}>
          <PanelLeft />
        </IconButton>
      </header>
      <div className="sidebar-actions">
        <button type="button" className="sidebar-button" onClick={newChat}>
          <SquarePen aria-hidden="true" />
          New chat
          <kbd>Ctrl+Shift+O</kbd>
        </button>
        <button type="button" className="sidebar-button" onClick={() => ui.show('search')}>
          <Search aria-hidden="true" />
          Search
          <kbd>Ctrl+K</kbd>
        </button>
      </div>
      <History />
      <footer className="sidebar-foot">
        <ServerLine />
        <IconButton label="Settings" onClick={() => ui.show('settings')}>
          <Settings />
        </IconButton>
      </footer>
    </div>
  )
}
