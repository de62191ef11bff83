// The tree of one chat: which messages are shown, which are beside them. Pure functions.
import type { Chat, Message, MessageMap } from './types.ts'

export const rootKey = 'root'
export const keyOf = (parentId: string | null): string => parentId ?? rootKey

/** One message on the shown path, with the versions beside it (itself among them), oldest first. */
export interface PathEntry {
  message: Message
  siblings: readonly string[]
}

function byAge(a: Message, b: Message): number {
  return a.createdAt - b.createdAt || (a.id < b.id ? -1 : 1)
}

export function childrenOf(chatId: string, messages: MessageMap): Map<string, Message[]> {
  const children = new Map<string, Message[]>()
  for (const message of Object.values(messages)) {
    if (message.chatId !== chatId) continue
    const key = keyOf(message.parentId)
    const list = children.get(key)
    if (list) list.push(message)
    else children.set(key, [message])
  }
  for (const list of children.values()) list.sort(byAge)
  return children
}

/** From the first message down, at each fork the selected child, or the newest one. */
export function pathOf(chat: Chat, messages: MessageMap): PathEntry[] {
  const children = childrenOf(chat.id, messages)
  const path: PathEntry[] = []
  // A damaged import could hold a ring; no path is longer than the number of messages.
  for (let key = rootKey; path.length <= Object.keys(messages).length; ) {
    const list = children.get(key)
    if (!list) break
    const message = list.find(({ id }) => id === chat.selected[key]) ?? list[list.length - 1]
    if (!message) break
    path.push({ message, siblings: list.map(({ id }) => id) })
    key = message.id
  }
  return path
}

/** A message and everything below it. */
export function subtree(id: string, chatId: string, messages: MessageMap): string[] {
  const children = childrenOf(chatId, messages)
  const found = [id]
  for (let i = 0; i < found.length; i++)
    for (const child of children.get(found[i] as string) ?? []) found.push(child.id)
  return found
}

/** From the first message to `id`, for a request. */
export function ancestors(id: string, messages: MessageMap): Message[] {
  const line: Message[] = []
  const seen = new Set<string>()
  for (let at: string | null = id; at !== null && !seen.has(at); ) {
    seen.add(at)
    const message: Message | undefined = messages[at]
    if (!message) break
    line.push(message)
    at = message.parentId
  }
  return line.reverse()
}

/** A title from the first question: its first line, without markup, at a word's end. */
export function titleFrom(text: string): string {
  const line = text
    .replace(/^[#>\s]+|`|\*\*|__/g, '')
    .replace(/\s+/g, ' ')
    .trim()
  if (line === '') return 'New chat'
  if (line.length <= 60) return line
  const cut = line.slice(0, 60)
  const space = cut.lastIndexOf(' ')
  return `${space > 30 ? cut.slice(0, space) : cut}…`
}
