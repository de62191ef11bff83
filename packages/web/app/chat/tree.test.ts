import { expect, test } from 'vitest'
import { chat, mapOf, message } from './testing.ts'
import { ancestors, pathOf, subtree, titleFrom } from './tree.ts'

// q1 ─ a1 ─ q2 ─ a2
//    └ a1b
// q1b ─ a1c
const tree = mapOf([
  message({ id: 'q1' }),
  message({ id: 'a1', parentId: 'q1', role: 'assistant' }),
  message({ id: 'q2', parentId: 'a1' }),
  message({ id: 'a2', parentId: 'q2', role: 'assistant' }),
  message({ id: 'a1b', parentId: 'q1', role: 'assistant' }),
  message({ id: 'q1b' }),
  message({ id: 'a1c', parentId: 'q1b', role: 'assistant' }),
  message({ id: 'x', chatId: 'other' }),
])
const ids = (selected: Record<string, string>) =>
  pathOf(chat({ selected }), tree).map((entry) => entry.message.id)

test('the newest version is shown until another is chosen', () => {
  expect(ids({})).toEqual(['q1b', 'a1c'])
  expect(ids({ root: 'q1' })).toEqual(['q1', 'a1b'])
  expect(ids({ root: 'q1', q1: 'a1' })).toEqual(['q1', 'a1', 'q2', 'a2'])
  expect(ids({ root: 'gone', q1b: 'gone too' })).toEqual(['q1b', 'a1c'])
})

test('each entry knows its versions, oldest first', () => {
  const [first, second] = pathOf(chat({ selected: { root: 'q1' } }), tree)
  expect(first?.siblings).toEqual(['q1', 'q1b'])
  expect(second?.siblings).toEqual(['a1', 'a1b'])
})

test('a subtree and a line of ancestors', () => {
  expect(subtree('a1', 'c', tree).sort()).toEqual(['a1', 'a2', 'q2'])
  expect(ancestors('a2', tree).map(({ id }) => id)).toEqual(['q1', 'a1', 'q2', 'a2'])
  expect(ancestors('nothing', tree)).toEqual([])
})

test('a ring, as a damaged file might hold, ends', () => {
  const ring = mapOf([
    message({ id: 'a', parentId: 'b' }),
    message({ id: 'b', parentId: 'a' }),
    message({ id: 'root' }),
  ])
  expect(pathOf(chat(), ring).length).toBeLessThanOrEqual(4)
  expect(ancestors('a', ring).length).toBe(2)
})

test.each([
  ['What is 47 * 36?', 'What is 47 * 36?'],
  ['# Fix `this` **now**\nplease', 'Fix this now please'],
  ['   ', 'New chat'],
  ['word '.repeat(40), `${'word '.repeat(12).trim()}…`],
  ['x'.repeat(80), `${'x'.repeat(60)}…`],
])('title of %j', (text, title) => expect(titleFrom(text)).toBe(title))
