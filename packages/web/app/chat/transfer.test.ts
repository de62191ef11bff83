import { expect, test } from 'vitest'
import { chat, mapOf, message } from './testing.ts'
import { chatAsMarkdown, exportChats, importChats } from './transfer.ts'
import { pathOf } from './tree.ts'

const stats = {
  promptTokens: 10,
  completionTokens: 5,
  reasoningTokens: 2,
  cachedTokens: 4,
  ttftMs: 3,
  tokensPerSecond: 40,
  cost: { amount: 0.01, currency: 'USD' },
}
const messages = [
  message({ id: 'q', content: 'Why?' }),
  message({ id: 'a', parentId: 'q', role: 'assistant', content: 'First', reasoning: 'hm', stats }),
  message({ id: 'b', parentId: 'q', role: 'assistant', content: 'Second', reasoningMs: 1200 }),
]
const kept = chat({ selected: { q: 'a' }, title: 'Why' })

test('an export comes back with new ids, the same tree and the same choice', () => {
  const file = JSON.stringify(exportChats([kept], messages))
  const { chats, messages: read } = importChats(file)
  const [first] = chats
  expect(first?.id).not.toBe(kept.id)
  const path = pathOf(first!, mapOf(read))
  expect(path.map((entry) => entry.message.content)).toEqual(['Why?', 'First'])
  expect(path[1]?.siblings).toHaveLength(2)
  expect(path[1]?.message.stats).toEqual(stats)
  expect(new Set([...read, ...messages].map(({ id }) => id)).size).toBe(6)
})

test.each([
  ['', 'not JSON'],
  ['[]', 'not an export'],
  ['{"format":"other","chats":[]}', 'not an export'],
  ['{"format":"hadal-chats","chats":{}}', 'not an export'],
])('%j is refused', (json, reason) => expect(() => importChats(json)).toThrow(reason))

test('fields of the wrong type become their defaults, rings become roots', () => {
  const odd = {
    format: 'hadal-chats',
    chats: [
      null,
      {
        id: 7,
        title: { toString: 'x' },
        selected: { __proto__: 'b', root: 'a' },
        messages: [
          { id: 'a', parentId: 'b', role: 'system', content: ['<script>'], createdAt: 'x' },
          { id: 'b', parentId: 'a', role: 'assistant', outcome: { type: 'streaming' }, stats: 3 },
          { id: 'c', parentId: 'c', toolCalls: [{ name: 1 }], reasoningMs: 'long' },
          'text',
        ],
      },
    ],
  }
  const { chats, messages: read } = importChats(JSON.stringify(odd))
  expect(chats.map(({ title }) => title)).toEqual(['Imported chat', 'Imported chat'])
  expect(read).toHaveLength(4)
  expect(read[0]).toMatchObject({ role: 'user', content: '', parentId: null })
  expect(read[1]).toMatchObject({ outcome: { type: 'stopped' }, parentId: read[0]?.id })
  expect(read[2]).toMatchObject({ parentId: null, reasoningMs: undefined })
  expect(pathOf(chats[1]!, mapOf(read)).length).toBeGreaterThan(0)
})

test('a chat as Markdown holds the shown branch', () => {
  const text = chatAsMarkdown(kept, mapOf(messages))
  expect(text).toContain('# Why\n\n## You\n\nWhy?')
  expect(text).toContain('<details><summary>Thinking</summary>\n\nhm\n\n</details>\n\nFirst')
  expect(text).not.toContain('Second')
})

test('a question and an answer of the same millisecond stay together, in whatever order they lie', () => {
  const question = { id: 'q', parentId: null, role: 'user', createdAt: 5, content: 'Q' }
  const answer = { id: 'a', parentId: 'q', role: 'assistant', createdAt: 5, content: 'A' }
  const chats = [{ title: 'T', selected: { root: 'q', q: 'a' }, messages: [answer, question] }]
  const { messages } = importChats(JSON.stringify({ format: 'hadal-chats', chats }))
  expect(messages.map(({ content }) => content)).toEqual(['Q', 'A'])
  expect(messages[1]?.parentId).toBe(messages[0]?.id)
})
