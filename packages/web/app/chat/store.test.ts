import 'fake-indexeddb/auto'
import { beforeEach, expect, test } from 'vitest'
import { type ChatDb, createMemoryDb, openChatDb } from './db.ts'
import { searchChats } from './search.ts'
import { type ChatStore, createChatStore, type Run } from './store.ts'
import { message } from './testing.ts'
import { pathOf } from './tree.ts'

let name = 0
let db: ChatDb
let store: ChatStore

beforeEach(async () => {
  name += 1
  db = await openChatDb(`test-${name}`)
  store = createChatStore(db)
  await store.init()
})

async function reopened(): Promise<ChatStore> {
  const again = createChatStore(await openChatDb(`test-${name}`))
  await again.init()
  return again
}

async function conversation(text = 'How deep is the sea?') {
  const chat = store.newChat(text)
  const question = message({ id: `q${chat.id}`, chatId: chat.id, content: text })
  const answer = message({
    id: `a${chat.id}`,
    chatId: chat.id,
    parentId: question.id,
    role: 'assistant',
    content: 'Eleven kilometres.',
  })
  store.addMessage(question)
  store.addMessage(answer)
  return { chat, question, answer }
}

const shown = (of: ChatStore, chatId: string) => {
  const chat = of.getState().chats.find(({ id }) => id === chatId)
  return chat ? pathOf(chat, of.getState().messages).map((entry) => entry.message.id) : []
}

function runOf(messageId: string, stop = () => {}): Run {
  return {
    messageId,
    startedAt: 0,
    phase: { type: 'sent' },
    completionId: undefined,
    endingThinking: false,
    stop,
    retryNow: () => {},
  }
}

test('a chat, its branch and its choice survive a reload', async () => {
  const { chat, question, answer } = await conversation()
  const other = message({ id: 'other', chatId: chat.id, parentId: question.id, role: 'assistant' })
  store.addMessage(other)
  store.patchChat(chat.id, { selected: { root: question.id, [question.id]: answer.id } })
  store.patchChat(chat.id, { title: 'Depth' })
  await new Promise((resolve) => setTimeout(resolve, 20))
  const again = await reopened()
  await again.open(chat.id)
  expect(again.getState().chats[0]?.title).toBe('Depth')
  expect(shown(again, chat.id)).toEqual([question.id, answer.id])
})

test('a new message is the chosen version', async () => {
  const { chat, question } = await conversation()
  store.addMessage(message({ id: 'q1b', chatId: chat.id }))
  expect(shown(store, chat.id)).toEqual(['q1b'])
  expect(store.getState().messages[question.id]).toBeDefined()
})

test('an answer that was running when the page closed counts as stopped', async () => {
  const { chat, answer } = await conversation()
  store.patchMessage(answer.id, { outcome: { type: 'streaming' }, content: 'Ele' })
  await new Promise((resolve) => setTimeout(resolve, 20))
  const again = await reopened()
  await again.open(chat.id)
  expect(again.getState().messages[answer.id]).toMatchObject({
    outcome: { type: 'stopped' },
    content: 'Ele',
  })
})

test('deleting a message takes what is below it, and comes back', async () => {
  const { chat, question, answer } = await conversation()
  let stopped = 0
  store.setRun(
    chat.id,
    runOf(answer.id, () => {
      stopped += 1
    }),
  )
  const undo = await store.removeMessage(question.id)
  expect(stopped).toBe(1)
  expect(shown(store, chat.id)).toEqual([])
  expect(await db.messagesOf(chat.id)).toEqual([])
  await undo()
  expect(shown(store, chat.id)).toEqual([question.id, answer.id])
  expect(await db.messagesOf(chat.id)).toHaveLength(2)
})

test('deleting a chat and all chats, and back', async () => {
  const first = await conversation('First')
  const second = await conversation('Second')
  const undo = await store.removeChat(second.chat.id)
  expect(store.getState().openId).toBeNull()
  expect((await db.chats()).map(({ title }) => title)).toEqual(['First'])
  await undo()
  expect(store.getState().chats).toHaveLength(2)
  const undoClear = await store.clear()
  expect(await db.chats()).toEqual([])
  expect(await db.allMessages()).toEqual([])
  await undoClear()
  await store.open(first.chat.id)
  expect(shown(store, first.chat.id)).toHaveLength(2)
  expect(await db.allMessages()).toHaveLength(4)
})

test('another tab’s chats and messages appear after a refresh', async () => {
  const { chat, answer } = await conversation()
  const other = await reopened()
  await other.open(chat.id)
  other.addMessage(message({ id: 'late', chatId: chat.id, parentId: answer.id }))
  other.newChat('From the other tab')
  await new Promise((resolve) => setTimeout(resolve, 20))
  await store.refresh()
  expect(shown(store, chat.id).at(-1)).toBe('late')
  expect(store.getState().chats).toHaveLength(2)
})

test('an unknown chat opens nothing', async () => {
  await store.open('no such')
  expect(store.getState().openId).toBeNull()
})

test('a database that fails is shown, and the chat goes on', async () => {
  const broken: ChatDb = {
    ...createMemoryDb(),
    save: () => Promise.reject(new DOMException('full', 'QuotaExceededError')),
  }
  store = createChatStore(broken)
  await store.init()
  const { chat } = await conversation()
  expect(store.getState().saveFailed).toBe(true)
  expect(shown(store, chat.id)).toHaveLength(2)
})

test('search finds words of titles and messages, titles first', async () => {
  await conversation('Sea floor')
  await conversation('Recipes')
  const { chat } = await conversation('Physics')
  const text = `${'x '.repeat(100)}the sea   floor spreads${' y'.repeat(100)}`
  store.addMessage(message({ id: 'long', chatId: chat.id, content: text }))
  const hits = await searchChats('FLOOR sea', store.getState().chats, db)
  expect(hits.map((hit) => hit.chat.title)).toEqual(['Sea floor', 'Physics'])
  expect(hits[1]?.snippet).toContain('the sea floor spreads')
  expect(await searchChats('volcano', store.getState().chats, db)).toEqual([])
  expect(await searchChats('  ', store.getState().chats, db)).toHaveLength(3)
})
