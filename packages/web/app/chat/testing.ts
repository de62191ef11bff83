// For tests: messages with little writing.
import type { Chat, Message } from './types.ts'

let clock = 0

export function message(part: Partial<Message> & Pick<Message, 'id'>): Message {
  clock += 1
  return {
    chatId: 'c',
    parentId: null,
    role: 'user',
    createdAt: clock,
    content: part.id,
    reasoning: '',
    reasoningMs: undefined,
    outcome: { type: 'done' },
    toolCalls: [],
    stats: undefined,
    model: undefined,
    ...part,
  }
}

export function chat(part: Partial<Chat> = {}): Chat {
  return { id: 'c', title: 'A chat', createdAt: 1, updatedAt: 1, selected: {}, ...part }
}

export function mapOf(messages: readonly Message[]): Record<string, Message> {
  return Object.fromEntries(messages.map((each) => [each.id, each]))
}
