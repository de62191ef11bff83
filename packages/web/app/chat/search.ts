// Search over titles and texts of all chats. Every word must occur; the snippet shows the first one found.
import type { ChatDb } from './db.ts'
import type { Chat } from './types.ts'

export interface Hit {
  chat: Chat
  /** Text around the first match in a message; empty when only the title matched. */
  snippet: string
}

export function snippetAround(text: string, word: string, width: number = 90): string {
  const flat = text.replace(/\s+/g, ' ')
  const at = flat.toLowerCase().indexOf(word)
  if (at < 0) return ''
  const from = Math.max(0, at - Math.floor(width / 3))
  const part = flat.slice(from, from + width)
  return `${from > 0 ? '…' : ''}${part}${from + width < flat.length ? '…' : ''}`
}

export async function searchChats(
  query: string,
  chats: readonly Chat[],
  db: ChatDb,
): Promise<Hit[]> {
  const words = query.toLowerCase().split(/\s+/).filter(Boolean)
  if (words.length === 0) return chats.slice(0, 50).map((chat) => ({ chat, snippet: '' }))
  const texts = new Map<string, string[]>()
  for (const message of await db.allMessages()) {
    const list = texts.get(message.chatId)
    if (list) list.push(message.content)
    else texts.set(message.chatId, [message.content])
  }
  const hits: (Hit & { rank: number })[] = []
  for (const chat of chats) {
    const title = chat.title.toLowerCase()
    const body = texts.get(chat.id) ?? []
    const lower = body.map((text) => text.toLowerCase())
    const found = (word: string) => title.includes(word) || lower.some((t) => t.includes(word))
    if (!words.every(found)) continue
    const word = words.find((w) => lower.some((t) => t.includes(w)))
    const where = word === undefined ? -1 : lower.findIndex((t) => t.includes(word))
    const snippet = word === undefined ? '' : snippetAround(body[where] ?? '', word)
    hits.push({ chat, snippet, rank: words.every((w) => title.includes(w)) ? 0 : 1 })
  }
  hits.sort((a, b) => a.rank - b.rank || b.chat.updatedAt - a.chat.updatedAt)
  return hits.slice(0, 50).map(({ chat, snippet }) => ({ chat, snippet }))
}
