// The one state of the page's chats and its actions. Every change goes to the database at once (the page does
// not wait for it), except a running answer, which is saved about once a second (`save: false` in between).
import { createStore, type StoreApi } from 'zustand/vanilla'
import type { ChatDb } from './db.ts'
import { keyOf, subtree, titleFrom } from './tree.ts'
import type { Chat, Message, MessageMap } from './types.ts'

export type RunPhase =
  /** Sent; no token yet. */
  | { type: 'sent' }
  /** Tried, and will try again at `until`. */
  | { type: 'waiting'; reason: 'busy' | 'loading' | 'network'; message: string; until: number }
  | { type: 'thinking'; since: number }
  | { type: 'answering' }

/** An answer in the making; its times are those of `elapsed()`. */
export interface Run {
  messageId: string
  startedAt: number
  phase: RunPhase
  completionId: string | undefined
  endingThinking: boolean
  stop(): void
  retryNow(): void
}

export interface ChatState {
  ready: boolean
  persistent: boolean
  saveFailed: boolean
  chats: readonly Chat[]
  openId: string | null
  messages: MessageMap
  /** By chat. */
  runs: Readonly<Record<string, Run>>
}

export type Undo = () => Promise<void>

export interface ChatStore extends StoreApi<ChatState> {
  readonly db: ChatDb
  init(): Promise<void>
  /** Reads again what another tab may have changed. */
  refresh(): Promise<void>
  open(chatId: string | null): Promise<void>
  newChat(firstText: string): Chat
  addMessage(message: Message): void
  patchMessage(id: string, patch: Partial<Message>, options?: { save: boolean }): void
  patchChat(id: string, patch: Partial<Pick<Chat, 'title' | 'selected' | 'updatedAt'>>): void
  setRun(chatId: string, run: Run | undefined): void
  removeMessage(id: string): Promise<Undo>
  removeChat(id: string): Promise<Undo>
  clear(): Promise<Undo>
  addAll(chats: readonly Chat[], messages: readonly Message[]): Promise<void>
}

/** `crypto.randomUUID` exists only on HTTPS and loopback; a phone on the LAN may use neither. */
export function newId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(12))
  return [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('')
}

const newestFirst = (chats: readonly Chat[]) =>
  [...chats].sort((a, b) => b.updatedAt - a.updatedAt || (a.id < b.id ? -1 : 1))

function byId(messages: readonly Message[]): Record<string, Message> {
  return Object.fromEntries(messages.map((message) => [message.id, message]))
}

function without<T>(record: Readonly<Record<string, T>>, ids: readonly string[]) {
  const gone = new Set(ids)
  return Object.fromEntries(Object.entries(record).filter(([id]) => !gone.has(id)))
}

/** A page that was closed in mid-answer left it "streaming". */
function settle(message: Message, running: Readonly<Record<string, Run>>): Message {
  const live = running[message.chatId]?.messageId === message.id
  return message.outcome.type === 'streaming' && !live
    ? { ...message, outcome: { type: 'stopped' } }
    : message
}

/** What the actions share: the state, the database, and which chats have their messages in memory. */
interface Context {
  db: ChatDb
  store: StoreApi<ChatState>
  loaded: Set<string>
}

/** A full disk or a revoked database must not stop the chat; the page shows `saveFailed`. */
async function kept({ store }: Context, work: Promise<void>): Promise<void> {
  try {
    await work
    if (store.getState().saveFailed) store.setState({ saveFailed: false })
  } catch {
    store.setState({ saveFailed: true })
  }
}

async function load({ db, store, loaded }: Context, chatId: string): Promise<void> {
  if (loaded.has(chatId)) return
  const found = await db.messagesOf(chatId)
  loaded.add(chatId)
  const settled = found.map((message) => settle(message, store.getState().runs))
  // What is in memory is newer than what was read.
  store.setState(({ messages }) => ({ messages: { ...byId(settled), ...messages } }))
}

async function addAll(context: Context, chats: readonly Chat[], messages: readonly Message[]) {
  const fresh = new Set(chats.map((chat) => chat.id))
  for (const id of fresh) context.loaded.add(id)
  context.store.setState((state) => ({
    chats: newestFirst([...state.chats.filter((chat) => !fresh.has(chat.id)), ...chats]),
    messages: { ...state.messages, ...byId(messages) },
  }))
  await kept(context, context.db.save(chats, messages))
}

type Edits = Pick<ChatStore, 'newChat' | 'addMessage' | 'patchMessage' | 'patchChat' | 'setRun'>

function createEdits(context: Context): Edits {
  const { db } = context
  const { getState: get, setState: set } = context.store
  const patchChat: Edits['patchChat'] = (id, patch) => {
    const before = get().chats.find((chat) => chat.id === id)
    if (!before) return
    const after = { ...before, ...patch }
    set(({ chats }) => ({ chats: newestFirst(chats.map((c) => (c.id === id ? after : c))) }))
    void kept(context, db.save([after], []))
  }
  return {
    patchChat,
    newChat(firstText) {
      const now = Date.now()
      const title = titleFrom(firstText)
      const chat: Chat = { id: newId(), title, createdAt: now, updatedAt: now, selected: {} }
      void addAll(context, [chat], [])
      set({ openId: chat.id })
      return chat
    },
    addMessage(message) {
      const chat = get().chats.find(({ id }) => id === message.chatId)
      if (!chat) return
      const selected = { ...chat.selected, [keyOf(message.parentId)]: message.id }
      set(({ messages }) => ({ messages: { ...messages, [message.id]: message } }))
      patchChat(chat.id, { selected, updatedAt: Date.now() })
      void kept(context, db.save([], [message]))
    },
    patchMessage(id, patch, options = { save: true }) {
      const before = get().messages[id]
      if (!before) return
      const after = { ...before, ...patch }
      set(({ messages }) => ({ messages: { ...messages, [id]: after } }))
      if (options.save) void kept(context, db.save([], [after]))
    },
    setRun(chatId, run) {
      set(({ runs }) => ({ runs: run ? { ...runs, [chatId]: run } : without(runs, [chatId]) }))
    },
  }
}

type Removals = Pick<ChatStore, 'removeMessage' | 'removeChat' | 'clear'>

function createRemovals(context: Context): Removals {
  const { db } = context
  const { getState: get, setState: set } = context.store
  return {
    async removeMessage(id) {
      const target = get().messages[id]
      if (!target) return async () => {}
      const chat = get().chats.find((c) => c.id === target.chatId)
      const ids = subtree(id, target.chatId, get().messages)
      const run = get().runs[target.chatId]
      if (run && ids.includes(run.messageId)) run.stop()
      const gone = ids.flatMap((each) => get().messages[each] ?? [])
      set(({ messages }) => ({ messages: without(messages, ids) }))
      await kept(context, db.removeMessages(ids))
      return async () => {
        if (chat) await addAll(context, [{ ...chat, updatedAt: Date.now() }], gone)
      }
    },
    async removeChat(id) {
      const chat = get().chats.find((c) => c.id === id)
      if (!chat) return async () => {}
      get().runs[id]?.stop()
      await load(context, id)
      const gone = Object.values(get().messages).filter((message) => message.chatId === id)
      const ids = gone.map((message) => message.id)
      set((state) => ({
        chats: state.chats.filter((c) => c.id !== id),
        messages: without(state.messages, ids),
        openId: state.openId === id ? null : state.openId,
      }))
      await kept(context, db.removeChat(id))
      return () => addAll(context, [chat], gone)
    },
    async clear() {
      for (const run of Object.values(get().runs)) run.stop()
      const { chats } = get()
      const messages = await db.allMessages()
      set({ chats: [], messages: {}, openId: null })
      await kept(context, db.clear())
      return () => addAll(context, chats, messages)
    },
  }
}

export function createChatStore(db: ChatDb): ChatStore {
  const store = createStore<ChatState>(() => ({
    ready: false,
    persistent: db.persistent,
    saveFailed: false,
    chats: [],
    openId: null,
    messages: {},
    runs: {},
  }))
  const context: Context = { db, store, loaded: new Set() }
  const { getState: get, setState: set } = store
  return Object.assign(store, createEdits(context), createRemovals(context), {
    db,
    addAll: (chats: readonly Chat[], messages: readonly Message[]) =>
      addAll(context, chats, messages),
    async init() {
      set({ chats: newestFirst(await db.chats()), ready: true })
    },
    async refresh() {
      const chats = newestFirst(await db.chats())
      context.loaded.clear()
      const { openId } = get()
      const open = openId !== null && chats.some(({ id }) => id === openId) ? openId : null
      set({ chats, openId: open })
      if (open) await load(context, open)
    },
    async open(chatId: string | null) {
      if (chatId === null || !get().chats.some((chat) => chat.id === chatId))
        return set({ openId: null })
      await load(context, chatId)
      set({ openId: chatId })
    },
  })
}
