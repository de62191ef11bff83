// Conversations from strangers: templates skip or garble what they do not know, so it is refused here by name.
import type { Message } from './chat-template.ts'
import { isObject, TextError } from './error.ts'

const roles = ['system', 'user', 'assistant', 'tool']

function fail(field: string, expected: string, got: unknown): never {
  const shown = Array.isArray(got)
    ? `an array of ${got.length}`
    : isObject(got)
      ? 'an object'
      : got === undefined
        ? 'nothing'
        : String(JSON.stringify(got) ?? got).slice(0, 80)
  throw new TextError(`${field}: expected ${expected}, got ${shown}`)
}

function checkCall(field: string, call: unknown): void {
  if (!isObject(call)) fail(field, 'an object with id, name and arguments', call)
  for (const name of ['id', 'name', 'arguments'])
    if (typeof call[name] !== 'string') fail(`${field}.${name}`, 'a string', call[name])
}

/** Throws a TextError that names the message and the field. */
export function checkMessages(messages: unknown): asserts messages is readonly Message[] {
  if (!Array.isArray(messages)) fail('messages', 'an array of { role, content }', messages)
  if (messages.length === 0) fail('messages', 'at least one', messages)
  for (const [i, message] of messages.entries()) {
    const field = `messages[${i}]`
    if (!isObject(message)) fail(field, 'an object with role and content', message)
    const { role, content, reasoning, name, toolCallId, toolCalls } = message
    if (!roles.includes(role as string)) fail(`${field}.role`, `one of ${roles.join(', ')}`, role)
    if (typeof content !== 'string') fail(`${field}.content`, 'a string', content)
    for (const [key, value] of Object.entries({ reasoning, name, toolCallId }))
      if (value !== undefined && typeof value !== 'string')
        fail(`${field}.${key}`, 'a string', value)
    if (toolCalls === undefined) continue
    if (!Array.isArray(toolCalls)) fail(`${field}.toolCalls`, 'an array', toolCalls)
    for (const [j, call] of toolCalls.entries()) checkCall(`${field}.toolCalls[${j}]`, call)
  }
}
