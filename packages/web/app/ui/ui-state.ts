// What is open on the page besides the chat: a dialog, the sidebar. Dialogs close each other.
import { createContext, useContext } from 'react'

export type DialogName = 'search' | 'settings' | 'clear'

export interface Ui {
  dialog: DialogName | undefined
  show(dialog: DialogName | undefined): void
  drawerOpen: boolean
  setDrawerOpen(open: boolean): void
  closeDrawer(): void
  toggleSidebar(): void
  focusInput(): void
}

export const UiContext: React.Context<Ui | null> = createContext<Ui | null>(null)

export function useUi(): Ui {
  const ui = useContext(UiContext)
  if (!ui) throw new Error('a component was drawn outside UiContext')
  return ui
}
