// The reader's settings, in localStorage: small, and needed before the first paint (theme.js reads them too).
import { createStore, type StoreApi } from 'zustand/vanilla'

export type Theme = 'system' | 'light' | 'dark'
export type SendKey = 'enter' | 'mod-enter'

export interface Settings {
  theme: Theme
  /** What Enter does on a keyboard; on touch screens Enter is always a new line. */
  sendKey: SendKey
  /** Leave finished thinking open instead of folding it. */
  keepThinkingOpen: boolean
  showStats: boolean
  thinking: boolean
  /** Most tokens of thinking; null: as long as it takes. */
  thinkingBudget: number | null
  /** null: the server's own default. */
  temperature: number | null
  topP: number | null
  maxTokens: number | null
  systemPrompt: string
  model: string | null
  sidebarOpen: boolean
}

export const defaultSettings: Settings = {
  theme: 'system',
  sendKey: 'enter',
  keepThinkingOpen: false,
  showStats: true,
  thinking: true,
  thinkingBudget: null,
  temperature: null,
  topP: null,
  maxTokens: null,
  systemPrompt: '',
  model: null,
  sidebarOpen: true,
}

const storageKey = 'hadal.settings'
const ranges = { thinkingBudget: [0, 1e9], temperature: [0, 2], topP: [0, 1], maxTokens: [1, 1e9] }

/** Known fields of the right type and range; anything else is the default. */
export function readSettings(json: string | null): Settings {
  const settings: Record<string, unknown> = { ...defaultSettings }
  let stored: unknown
  try {
    stored = JSON.parse(json ?? '{}')
  } catch {
    stored = {}
  }
  if (typeof stored !== 'object' || stored === null) return { ...defaultSettings }
  for (const [name, value] of Object.entries(stored)) {
    if (!(name in defaultSettings)) continue
    const range = ranges[name as keyof typeof ranges]
    const inRange =
      range !== undefined && typeof value === 'number' && value >= range[0]! && value <= range[1]!
    if (range) settings[name] = inRange ? value : null
    else if (name === 'model') settings[name] = typeof value === 'string' ? value : null
    else if (typeof value === typeof settings[name]) settings[name] = value
  }
  if (!['system', 'light', 'dark'].includes(String(settings.theme))) settings.theme = 'system'
  if (!['enter', 'mod-enter'].includes(String(settings.sendKey))) settings.sendKey = 'enter'
  return settings as unknown as Settings
}

export interface SettingsStore extends StoreApi<Settings> {
  change(patch: Partial<Settings>): void
}

export function createSettings(storage: Pick<Storage, 'getItem' | 'setItem'>): SettingsStore {
  const store = createStore<Settings>(() => readSettings(storage.getItem(storageKey)))
  return Object.assign(store, {
    change(patch: Partial<Settings>) {
      store.setState(patch)
      try {
        storage.setItem(storageKey, JSON.stringify(store.getState()))
      } catch {
        // Storage is full or forbidden: the settings then last as long as the page.
      }
    },
  })
}
