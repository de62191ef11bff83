import { Download, Trash2, Upload } from 'lucide-react'
import { type ReactElement, useId, useRef } from 'react'
import type { SendKey, Settings, Theme } from '../settings.ts'
import { useChats, usePage, useServer, useSettings } from './app-context.ts'
import { ChoiceRow, NumberRow, SwitchRow } from './settings-fields.tsx'
import { useUi } from './ui-state.ts'
import { useExport } from './useExport.ts'

function useAll(): [Settings, (patch: Partial<Settings>) => void] {
  const { settings } = usePage()
  return [useSettings((state) => state), settings.change]
}

const themes: readonly (readonly [Theme, string])[] = [
  ['system', 'System'],
  ['light', 'Light'],
  ['dark', 'Dark'],
]

const sendKeys: readonly (readonly [SendKey, string])[] = [
  ['enter', 'Enter'],
  ['mod-enter', 'Ctrl+Enter'],
]

export function LookSettings(): ReactElement {
  const [settings, change] = useAll()
  return (
    <>
      <ChoiceRow
        label="Theme"
        value={settings.theme}
        options={themes}
        onChange={(theme) => change({ theme })}
      />
      <SwitchRow
        label="Keep thinking open"
        hint="Do not fold it when the answer begins"
        value={settings.keepThinkingOpen}
        onChange={(keepThinkingOpen) => change({ keepThinkingOpen })}
      />
      <SwitchRow
        label="Statistics under answers"
        hint="Speed, tokens, cache hits and cost"
        value={settings.showStats}
        onChange={(showStats) => change({ showStats })}
      />
      <ChoiceRow
        label="Send with"
        hint="On phones Enter is always a new line"
        value={settings.sendKey}
        options={sendKeys}
        onChange={(sendKey) => change({ sendKey })}
      />
    </>
  )
}

function ModelRow() {
  const [settings, change] = useAll()
  const server = useServer()
  const models = server.type === 'ok' ? server.models : []
  if (models.length < 2) return null
  return (
    <ChoiceRow
      label="Model"
      value={settings.model ?? models[0] ?? ''}
      options={models.map((id) => [id, id] as const)}
      onChange={(model) => change({ model })}
    />
  )
}

export function AnswerSettings(): ReactElement {
  const [settings, change] = useAll()
  const id = useId()
  return (
    <>
      <ModelRow />
      <NumberRow
        label="Temperature"
        hint="0 always takes the likeliest token"
        value={settings.temperature}
        min={0}
        max={2}
        step={0.1}
        onChange={(temperature) => change({ temperature })}
      />
      <NumberRow
        label="Top-p"
        hint="Smaller leaves out unlikely tokens"
        value={settings.topP}
        min={0}
        max={1}
        step={0.05}
        onChange={(topP) => change({ topP })}
      />
      <NumberRow
        label="Most tokens"
        hint="Thinking and answer together"
        value={settings.maxTokens}
        min={1}
        max={1_000_000}
        step={256}
        onChange={(maxTokens) => change({ maxTokens })}
      />
      <div className="field">
        <label className="field-label" htmlFor={id}>
          System prompt
        </label>
        <textarea
          id={id}
          rows={4}
          value={settings.systemPrompt}
          placeholder="How the model should behave, in all chats"
          onChange={(event) => change({ systemPrompt: event.target.value })}
        />
      </div>
    </>
  )
}

export function DataSettings(): ReactElement {
  const ui = useUi()
  const chats = useChats((state) => state.chats)
  const { exportJson, importFile } = useExport()
  const file = useRef<HTMLInputElement>(null)
  return (
    <>
      <p className="tab-text">
        Chats are kept in this browser, on this device. They leave it only as the questions you send
        to your own server.
      </p>
      <div className="data-buttons">
        <button
          type="button"
          className="button"
          disabled={chats.length === 0}
          onClick={() => void exportJson(chats)}
        >
          <Download aria-hidden="true" /> Export all
        </button>
        <button type="button" className="button" onClick={() => file.current?.click()}>
          <Upload aria-hidden="true" /> Import
        </button>
        <button
          type="button"
          className="button danger"
          disabled={chats.length === 0}
          onClick={() => ui.show('clear')}
        >
          <Trash2 aria-hidden="true" /> Delete all
        </button>
        <input
          ref={file}
          type="file"
          accept="application/json,.json"
          hidden
          aria-label="Import chats"
          onChange={(event) => {
            const [chosen] = event.target.files ?? []
            if (chosen) void importFile(chosen)
            event.target.value = ''
          }}
        />
      </div>
    </>
  )
}

const shortcuts = [
  ['New chat', 'Ctrl+Shift+O'],
  ['Search', 'Ctrl+K'],
  ['Sidebar', 'Ctrl+B'],
  ['Stop', 'Esc'],
  ['New line', 'Shift+Enter'],
  ['Send', 'Enter or Ctrl+Enter'],
] as const

export function KeyboardSettings(): ReactElement {
  return (
    <dl className="shortcuts">
      {shortcuts.map(([name, keys]) => (
        <div key={name} className="row">
          <dt>{name}</dt>
          <dd>
            <kbd>{keys}</kbd>
          </dd>
        </div>
      ))}
    </dl>
  )
}
