import { AlertDialog } from '@base-ui/react/alert-dialog'
import type { ReactElement } from 'react'
import { useChats, usePage } from './app-context.ts'
import { count } from './format.ts'
import { notify } from './Toasts.tsx'
import { useUi } from './ui-state.ts'

export function ClearDialog(): ReactElement {
  const { chats } = usePage()
  const ui = useUi()
  const number = useChats((state) => state.chats.length)
  const clear = async () => {
    ui.show(undefined)
    const undo = await chats.clear()
    notify({ title: 'All chats deleted', undo })
  }
  return (
    <AlertDialog.Root
      open={ui.dialog === 'clear'}
      onOpenChange={(open) => !open && ui.show(undefined)}
    >
      <AlertDialog.Portal>
        <AlertDialog.Backdrop className="backdrop" />
        <AlertDialog.Popup className="dialog small">
          <AlertDialog.Title>Delete all chats?</AlertDialog.Title>
          <AlertDialog.Description>
            {count(number)} {number === 1 ? 'chat' : 'chats'} in this browser. Export them first if
            you may want them again.
          </AlertDialog.Description>
          <div className="dialog-buttons">
            <AlertDialog.Close className="button">Cancel</AlertDialog.Close>
            <button type="button" className="button danger" onClick={() => void clear()}>
              Delete all
            </button>
          </div>
        </AlertDialog.Popup>
      </AlertDialog.Portal>
    </AlertDialog.Root>
  )
}
