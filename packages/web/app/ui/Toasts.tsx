import { Toast } from '@base-ui/react/toast'
import { X } from 'lucide-react'
import type { ReactElement } from 'react'

const manager = Toast.createToastManager()

interface Notice {
  title: string
  /** Adds an Undo button. */
  undo?: () => Promise<void>
}

export function notify({ title, undo }: Notice): void {
  const id = manager.add({
    title,
    timeout: undo ? 10_000 : 5000,
    ...(undo && {
      actionProps: {
        children: 'Undo',
        onClick: () => {
          manager.close(id)
          void undo()
        },
      },
    }),
  })
}

function ToastList() {
  const { toasts } = Toast.useToastManager()
  return toasts.map((toast) => (
    <Toast.Root key={toast.id} toast={toast} className="toast" swipeDirection={['down', 'right']}>
      <Toast.Title className="toast-title" />
      <Toast.Action className="text-button" />
      <Toast.Close className="icon-button" aria-label="Dismiss">
        <X />
      </Toast.Close>
    </Toast.Root>
  ))
}

export function Toasts(): ReactElement {
  return (
    <Toast.Provider toastManager={manager} limit={3}>
      <Toast.Portal>
        <Toast.Viewport className="toasts">
          <ToastList />
        </Toast.Viewport>
      </Toast.Portal>
    </Toast.Provider>
  )
}
