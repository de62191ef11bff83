// What the page keeps: chats, and in each a tree of messages. A message points at its parent; the branch
// that is shown is chosen by `selected`.

export type Role = 'user' | 'assistant'

export type Outcome =
  | { type: 'streaming' }
  | { type: 'done' }
  /** The reader pressed Stop, or closed the page in mid-answer. */
  | { type: 'stopped' }
  /** A token limit cut it. */
  | { type: 'length' }
  | { type: 'error'; message: string }

export interface ToolCall {
  id: string
  name: string
  arguments: string
}

/** Of one message; an answer that was continued sums its parts. */
export interface Stats {
  promptTokens: number
  completionTokens: number
  reasoningTokens: number
  cachedTokens: number | undefined
  ttftMs: number | undefined
  tokensPerSecond: number | undefined
  cost: { amount: number; currency: string } | undefined
}

export interface Message {
  id: string
  chatId: string
  parentId: string | null
  role: Role
  createdAt: number
  content: string
  reasoning: string
  /** How long the thinking took; undefined while it goes on or when there was none. */
  reasoningMs: number | undefined
  outcome: Outcome
  toolCalls: ToolCall[]
  stats: Stats | undefined
  model: string | undefined
}

export interface Chat {
  id: string
  title: string
  createdAt: number
  updatedAt: number
  /** Parent's id (or `root`) → the child that is shown. */
  selected: Record<string, string>
}

export type MessageMap = Readonly<Record<string, Message>>
