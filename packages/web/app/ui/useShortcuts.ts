// Keyboard shortcuts of the whole page. Ctrl also stands for ⌘.
import { useEffect } from 'react'
import type { Page } from './app-context.ts'
import type { Ui } from './ui-state.ts'

export function useShortcuts({ chats }: Page, ui: Ui): void {
  useEffect(() => {
    const stop = () => {
      const { runs, openId } = chats.getState()
      const run = runs[openId ?? '']
      run?.stop()
      return run !== undefined
    }
    const actions: Record<string, () => void> = {
      'mod+shift+o': () => {
        void chats.open(null)
        ui.focusInput()
      },
      'mod+k': () => ui.show(ui.dialog === 'search' ? undefined : 'search'),
      'mod+b': ui.toggleSidebar,
    }
    const onKeyDown = (event: KeyboardEvent) => {
      if (event.defaultPrevented || event.isComposing) return
      if (event.key === 'Escape') {
        // A dialog or a menu that is open takes the key for itself.
        const popup = document.querySelector('[role=dialog], [role=alertdialog], [role=menu]')
        if (!popup && stop()) event.preventDefault()
        return
      }
      const mod = event.ctrlKey || event.metaKey ? 'mod+' : ''
      const name = `${mod}${event.shiftKey ? 'shift+' : ''}${event.key.toLowerCase()}`
      const action = actions[name]
      if (!action) return
      event.preventDefault()
      action()
    }
    window.addEventListener('keydown', onKeyDown)
    return () => window.removeEventListener('keydown', onKeyDown)
  }, [chats, ui])
}
