// Where chats are kept: IndexedDB of this browser. Messages are records of their own, so that a running
// answer rewrites one record and not a whole chat. Without IndexedDB (some private windows) the same
// interface lives in memory and forgets.
import { type DBSchema, type IDBPDatabase, openDB } from 'idb'
import type { Chat, Message } from './types.ts'

export interface ChatDb {
  readonly persistent: boolean
  chats(): Promise<Chat[]>
  messagesOf(chatId: string): Promise<Message[]>
  allMessages(): Promise<Message[]>
  save(chats: readonly Chat[], messages: readonly Message[]): Promise<void>
  removeMessages(ids: readonly string[]): Promise<void>
  removeChat(id: string): Promise<void>
  clear(): Promise<void>
}

interface Schema extends DBSchema {
  chats: { key: string; value: Chat }
  messages: { key: string; value: Message; indexes: { chat: string } }
}

function indexed(db: IDBPDatabase<Schema>): ChatDb {
  return {
    persistent: true,
    chats: () => db.getAll('chats'),
    messagesOf: (chatId) => db.getAllFromIndex('messages', 'chat', chatId),
    allMessages: () => db.getAll('messages'),
    async save(chats, messages) {
      const tx = db.transaction(['chats', 'messages'], 'readwrite')
      for (const chat of chats) tx.objectStore('chats').put(chat)
      for (const message of messages) tx.objectStore('messages').put(message)
      // A page that closes or reloads now would take back a transaction that is not committed.
      tx.commit()
      await tx.done
    },
    async removeMessages(ids) {
      const tx = db.transaction('messages', 'readwrite')
      for (const id of ids) tx.store.delete(id)
      await tx.done
    },
    async removeChat(id) {
      const tx = db.transaction(['chats', 'messages'], 'readwrite')
      tx.objectStore('chats').delete(id)
      const keys = await tx.objectStore('messages').index('chat').getAllKeys(id)
      for (const key of keys) tx.objectStore('messages').delete(key)
      await tx.done
    },
    async clear() {
      const tx = db.transaction(['chats', 'messages'], 'readwrite')
      tx.objectStore('chats').clear()
      tx.objectStore('messages').clear()
      await tx.done
    },
  }
}

export function createMemoryDb(): ChatDb {
  const chats = new Map<string, Chat>()
  const messages = new Map<string, Message>()
  return {
    persistent: false,
    chats: async () => [...chats.values()],
    messagesOf: async (id) => [...messages.values()].filter((m) => m.chatId === id),
    allMessages: async () => [...messages.values()],
    async save(newChats, newMessages) {
      for (const chat of newChats) chats.set(chat.id, chat)
      for (const message of newMessages) messages.set(message.id, message)
    },
    async removeMessages(ids) {
      for (const id of ids) messages.delete(id)
    },
    async removeChat(id) {
      chats.delete(id)
      for (const message of [...messages.values()])
        if (message.chatId === id) messages.delete(message.id)
    },
    async clear() {
      chats.clear()
      messages.clear()
    },
  }
}

export async function openChatDb(name: string = 'hadal'): Promise<ChatDb> {
  try {
    const db = await openDB<Schema>(name, 1, {
      upgrade(fresh) {
        fresh.createObjectStore('chats', { keyPath: 'id' })
        fresh.createObjectStore('messages', { keyPath: 'id' }).createIndex('chat', 'chatId')
      },
      // Another tab with a newer page wants to upgrade: let it.
      blocking: () => db.close(),
    })
    return indexed(db)
  } catch {
    return createMemoryDb()
  }
}
