import { expect, test } from 'vitest'
import { createSettings, defaultSettings, readSettings } from './settings.ts'

test.each([
  [null, {}],
  ['{', {}],
  ['null', {}],
  ['[]', {}],
  ['{"theme":"dark","temperature":0.6}', { theme: 'dark', temperature: 0.6 }],
  ['{"theme":"pink","sendKey":7,"thinking":"yes","unknown":1}', {}],
  ['{"temperature":9,"topP":-1,"maxTokens":"many","model":3}', {}],
  ['{"model":"r1","thinkingBudget":0}', { model: 'r1', thinkingBudget: 0 }],
])('%j', (json, changed) => expect(readSettings(json)).toEqual({ ...defaultSettings, ...changed }))

test('changes are written, and a full storage does not matter', () => {
  const kept = new Map<string, string>()
  const storage = {
    getItem: (name: string) => kept.get(name) ?? null,
    setItem: (name: string, value: string) => void kept.set(name, value),
  }
  createSettings(storage).change({ theme: 'dark' })
  expect(createSettings(storage).getState().theme).toBe('dark')
  const full = createSettings({
    getItem: () => null,
    setItem: () => {
      throw new Error('full')
    },
  })
  full.change({ theme: 'light' })
  expect(full.getState().theme).toBe('light')
})
