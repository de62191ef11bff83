import { CSPProvider } from '@base-ui/react/csp-provider'
import { Drawer } from '@base-ui/react/drawer'
import { Tooltip } from '@base-ui/react/tooltip'
import { type ReactElement, type ReactNode, useEffect, useMemo, useRef, useState } from 'react'
import { Announcer } from './Announcer.tsx'
import { type Page, PageContext, useChats, usePage, useSettings } from './app-context.ts'
import { ClearDialog } from './ClearDialog.tsx'
import { Composer } from './Composer.tsx'
import { Conversation } from './Conversation.tsx'
import { Header } from './Header.tsx'
import { Tooltips } from './IconButton.tsx'
import { KeyDialog } from './KeyDialog.tsx'
import { useNarrow } from './media.ts'
import { SearchDialog } from './SearchDialog.tsx'
import { ServerBanner } from './ServerBanner.tsx'
import { SettingsDialog } from './SettingsDialog.tsx'
import { Sidebar } from './Sidebar.tsx'
import { Toasts } from './Toasts.tsx'
import { type DialogName, type Ui, UiContext } from './ui-state.ts'
import { useShortcuts } from './useShortcuts.ts'
import { Welcome } from './Welcome.tsx'

function useUiState(input: React.RefObject<HTMLTextAreaElement | null>): Ui {
  const { settings } = usePage()
  const narrow = useNarrow()
  const [dialog, show] = useState<DialogName | undefined>(undefined)
  const [drawerOpen, setDrawerOpen] = useState(false)
  return useMemo(
    () => ({
      dialog,
      show,
      drawerOpen,
      setDrawerOpen,
      closeDrawer: () => setDrawerOpen(false),
      toggleSidebar: () => {
        if (narrow) setDrawerOpen((open) => !open)
        else settings.change({ sidebarOpen: !settings.getState().sidebarOpen })
      },
      // After whatever closes now has given its focus back.
      focusInput: () => setTimeout(() => input.current?.focus(), 60),
    }),
    [dialog, drawerOpen, narrow, settings, input],
  )
}

function SidebarDrawer({ ui }: { ui: Ui }) {
  return (
    <Drawer.Root open={ui.drawerOpen} onOpenChange={ui.setDrawerOpen} swipeDirection="left">
      <Drawer.Portal>
        <Drawer.Backdrop className="backdrop" />
        <Drawer.Viewport className="drawer-viewport">
          <Drawer.Popup className="sidebar drawer" aria-label="Chats">
            <Sidebar />
          </Drawer.Popup>
        </Drawer.Viewport>
      </Drawer.Portal>
    </Drawer.Root>
  )
}

function SidebarPlace({ ui }: { ui: Ui }) {
  const narrow = useNarrow()
  const open = useSettings((settings) => settings.sidebarOpen)
  if (narrow) return <SidebarDrawer ui={ui} />
  return open ? (
    <aside className="sidebar">
      <Sidebar />
    </aside>
  ) : null
}

function Main({ input }: { input: React.RefObject<HTMLTextAreaElement | null> }) {
  const chat = useChats((state) => state.chats.find(({ id }) => id === state.openId))
  const ready = useChats((state) => state.ready)
  return (
    <main className="main" data-empty={chat ? undefined : true}>
      <Header chat={chat} />
      <ServerBanner />
      {chat ? <Conversation chat={chat} /> : ready ? <Welcome /> : <div className="conversation" />}
      <Composer input={input} />
      <p className="footnote-line">Models make mistakes. Check what matters.</p>
    </main>
  )
}

function useTheme() {
  const theme = useSettings((settings) => settings.theme)
  useEffect(() => {
    const { dataset } = document.documentElement
    if (theme === 'system') delete dataset.theme
    else dataset.theme = theme
  }, [theme])
}

function Shell(): ReactNode {
  const page = usePage()
  const input = useRef<HTMLTextAreaElement>(null)
  const ui = useUiState(input)
  useTheme()
  useShortcuts(page, ui)
  const title = useChats((state) => state.chats.find(({ id }) => id === state.openId)?.title)
  useEffect(() => {
    document.title = title ? `${title} · Hadal` : 'Hadal'
  }, [title])
  return (
    <UiContext.Provider value={ui}>
      <div className="app">
        <SidebarPlace ui={ui} />
        <Main input={input} />
      </div>
      <Announcer />
      <SearchDialog />
      <SettingsDialog />
      <ClearDialog />
      <KeyDialog />
      <Toasts />
      <Tooltips />
    </UiContext.Provider>
  )
}

export function App({ page }: { page: Page }): ReactElement {
  return (
    <CSPProvider disableStyleElements>
      <PageContext.Provider value={page}>
        <Tooltip.Provider delay={500}>
          <Shell />
        </Tooltip.Provider>
      </PageContext.Provider>
    </CSPProvider>
  )
}
