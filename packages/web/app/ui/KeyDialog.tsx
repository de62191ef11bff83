import { Dialog } from '@base-ui/react/dialog'
import { Field } from '@base-ui/react/field'
import { Form } from '@base-ui/react/form'
import type { ReactElement } from 'react'
import { useStore } from 'zustand'
import { apiKey } from '../api/client.ts'
import { usePage } from './app-context.ts'

/** Asks for the server's API key. It stays in this tab's session storage and nowhere else. */
export function KeyDialog(): ReactElement {
  const { server } = usePage()
  const wanted = useStore(server, (state) => state.keyWanted)
  const known = wanted && apiKey.get() !== ''
  const submit = (values: Record<string, unknown>) => {
    const key = String(values.key ?? '').trim()
    if (key === '') return
    apiKey.set(key)
    server.answerKey(true)
  }
  return (
    <Dialog.Root open={wanted} onOpenChange={(open) => !open && server.answerKey(false)}>
      <Dialog.Portal>
        <Dialog.Backdrop className="backdrop" />
        <Dialog.Popup className="dialog small">
          <Dialog.Title>API key</Dialog.Title>
          <Dialog.Description>
            {known
              ? 'The server did not accept the key. Check it and enter it again.'
              : 'This server wants a key. It is kept until you close this tab.'}
          </Dialog.Description>
          <Form onFormSubmit={submit}>
            <Field.Root name="key" className="field">
              <Field.Label className="field-label">Key</Field.Label>
              <Field.Control type="password" autoComplete="off" required />
            </Field.Root>
            <div className="dialog-buttons">
              <Dialog.Close className="button">Cancel</Dialog.Close>
              <button type="submit" className="button primary">
                Use this key
              </button>
            </div>
          </Form>
        </Dialog.Popup>
      </Dialog.Portal>
    </Dialog.Root>
  )
}
