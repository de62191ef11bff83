import { Dialog } from '@base-ui/react/dialog'
import { Tabs } from '@base-ui/react/tabs'
import { X } from 'lucide-react'
import type { ReactElement } from 'react'
import { AnswerSettings, DataSettings, KeyboardSettings, LookSettings } from './settings-tabs.tsx'
import { useUi } from './ui-state.ts'

const tabs = [
  ['look', 'Look', LookSettings],
  ['answers', 'Answers', AnswerSettings],
  ['data', 'Data', DataSettings],
  ['keys', 'Keyboard', KeyboardSettings],
] as const

export function SettingsDialog(): ReactElement {
  const ui = useUi()
  return (
    <Dialog.Root
      open={ui.dialog === 'settings'}
      onOpenChange={(open) => !open && ui.show(undefined)}
    >
      <Dialog.Portal>
        <Dialog.Backdrop className="backdrop" />
        <Dialog.Popup className="dialog settings">
          <header className="dialog-head">
            <Dialog.Title>Settings</Dialog.Title>
            <Dialog.Close className="icon-button" aria-label="Close">
              <X />
            </Dialog.Close>
          </header>
          <Tabs.Root defaultValue="look">
            <Tabs.List className="tabs">
              {tabs.map(([value, name]) => (
                <Tabs.Tab key={value} value={value} className="tab">
                  {name}
                </Tabs.Tab>
              ))}
              <Tabs.Indicator className="tab-indicator" />
            </Tabs.List>
            {tabs.map(([value, , Panel]) => (
              <Tabs.Panel key={value} value={value} className="tab-panel">
                <Panel />
              </Tabs.Panel>
            ))}
          </Tabs.Root>
        </Dialog.Popup>
      </Dialog.Portal>
    </Dialog.Root>
  )
}
