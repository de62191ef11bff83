// The wire as types, without code: what clients and the chat page import.
export type * from './chat.ts'
export type * from './common.ts'
export type * from './messages.ts'
export type * from './other.ts'
export type * from './responses.ts'
