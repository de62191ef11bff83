// Export and import of chats as JSON, and of one chat as Markdown. An import is hostile until checked: every
// field is read by type, and ids are made anew, so that it can neither overwrite a chat nor form a ring.
import { newId } from './store.ts'
import { pathOf } from './tree.ts'
import type { Chat, Message, MessageMap, Outcome, Stats, ToolCall } from './types.ts'

export interface ExportFile {
  format: 'hadal-chats'
  version: 1
  exportedAt: string
  chats: (Omit<Chat, 'selected'> & { selected: Record<string, string>; messages: Message[] })[]
}

const maxBytes = 256 * 1024 * 1024

export function exportChats(chats: readonly Chat[], messages: readonly Message[]): ExportFile {
  const all = chats.map((chat) => ({
    ...chat,
    messages: messages.filter((message) => message.chatId === chat.id),
  }))
  return { format: 'hadal-chats', version: 1, exportedAt: new Date().toISOString(), chats: all }
}

type Fields = Record<string, unknown>
const fields = (value: unknown): Fields =>
  typeof value === 'object' && value !== null ? (value as Fields) : {}
const text = (value: unknown): string => (typeof value === 'string' ? value : '')
const number = (value: unknown): number | undefined =>
  typeof value === 'number' && Number.isFinite(value) ? value : undefined

function readOutcome(value: unknown): Outcome {
  const { type, message } = fields(value)
  if (type === 'error') return { type, message: text(message) }
  if (type === 'stopped' || type === 'streaming') return { type: 'stopped' }
  return type === 'length' ? { type } : { type: 'done' }
}

function readStats(value: unknown): Stats | undefined {
  if (value === undefined || value === null) return undefined
  const stats = fields(value)
  const cost = fields(stats.cost)
  const amount = number(cost.amount)
  return {
    promptTokens: number(stats.promptTokens) ?? 0,
    completionTokens: number(stats.completionTokens) ?? 0,
    reasoningTokens: number(stats.reasoningTokens) ?? 0,
    cachedTokens: number(stats.cachedTokens),
    ttftMs: number(stats.ttftMs),
    tokensPerSecond: number(stats.tokensPerSecond),
    cost: amount === undefined ? undefined : { amount, currency: text(cost.currency) },
  }
}

function readToolCalls(value: unknown): ToolCall[] {
  if (!Array.isArray(value)) return []
  return value.map(fields).map((call) => ({
    id: text(call.id),
    name: text(call.name),
    arguments: text(call.arguments),
  }))
}

/** Oldest first, but none before its parent: a question and its answer may be of the same millisecond. */
function parentsFirst(items: readonly Fields[]): Fields[] {
  const time = (item: Fields) => number(item.createdAt) ?? 0
  const byId = new Map(items.map((item) => [text(item.id), item]))
  const done = new Set<Fields>()
  for (const item of [...items].sort((a, b) => time(a) - time(b))) {
    const line = new Set<Fields>()
    let at: Fields | undefined = item
    while (at && !done.has(at) && !line.has(at)) {
      line.add(at)
      at = byId.get(text(at.parentId))
    }
    // Where the line runs in a circle, the item becomes a root.
    const circle = at !== undefined && line.has(at)
    for (const each of circle ? [item] : [...line].reverse()) done.add(each)
  }
  return [...done]
}

function readMessages(list: unknown, chatId: string, ids: Map<string, string>): Message[] {
  const messages: Message[] = []
  if (!Array.isArray(list)) return messages
  for (const item of parentsFirst(list.map(fields))) {
    const id = newId()
    const parentId = ids.get(text(item.parentId)) ?? null
    ids.set(text(item.id), id)
    messages.push({
      id,
      chatId,
      parentId,
      role: item.role === 'assistant' ? 'assistant' : 'user',
      createdAt: number(item.createdAt) ?? Date.now(),
      content: text(item.content),
      reasoning: text(item.reasoning),
      reasoningMs: number(item.reasoningMs),
      outcome: readOutcome(item.outcome),
      toolCalls: readToolCalls(item.toolCalls),
      stats: readStats(item.stats),
      model: typeof item.model === 'string' ? item.model : undefined,
    })
  }
  return messages
}

/** Chats of an export, with new ids. Throws an error fit to show when the text is not one. */
export function importChats(json: string): { chats: Chat[]; messages: Message[] } {
  if (json.length > maxBytes) throw new Error('The file is larger than 256 MB.')
  let file: Fields
  try {
    file = fields(JSON.parse(json))
  } catch {
    throw new Error('The file is not JSON.')
  }
  if (file.format !== 'hadal-chats' || !Array.isArray(file.chats))
    throw new Error('The file is JSON, but not an export of Hadal chats.')
  const chats: Chat[] = []
  const messages: Message[] = []
  for (const item of file.chats.map(fields)) {
    const id = newId()
    const ids = new Map<string, string>()
    messages.push(...readMessages(item.messages, id, ids))
    const selected: Record<string, string> = {}
    for (const [key, child] of Object.entries(fields(item.selected))) {
      const from = key === 'root' ? key : ids.get(key)
      const to = ids.get(text(child))
      if (from !== undefined && to !== undefined) selected[from] = to
    }
    chats.push({
      id,
      title: text(item.title) || 'Imported chat',
      createdAt: number(item.createdAt) ?? Date.now(),
      updatedAt: number(item.updatedAt) ?? Date.now(),
      selected,
    })
  }
  return { chats, messages }
}

/** The shown branch as Markdown, thinking in folded blocks. */
export function chatAsMarkdown(chat: Chat, messages: MessageMap): string {
  const parts = pathOf(chat, messages).map(({ message }) => {
    if (message.role === 'user') return `## You\n\n${message.content}`
    const thinking = message.reasoning
      ? `<details><summary>Thinking</summary>\n\n${message.reasoning}\n\n</details>\n\n`
      : ''
    return `## ${message.model ?? 'Assistant'}\n\n${thinking}${message.content}`
  })
  return `# ${chat.title}\n\n${parts.join('\n\n')}\n`
}
