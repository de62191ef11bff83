// Requests to the server that sent this page. Every address is relative: there is no other origin to talk to.
import { createParser } from 'eventsource-parser'
import { ApiError, errorMessage, failureOf } from './errors.ts'
import type { ChatChunk, ChatRequest, Health, ModelList } from './wire.ts'

const keyName = 'hadal.key'

/** The API key lives as long as the tab, and nowhere else. */
export const apiKey = {
  get: (): string => sessionStorage.getItem(keyName) ?? '',
  set: (key: string): void => sessionStorage.setItem(keyName, key),
}

async function send(address: string, init: RequestInit = {}): Promise<Response> {
  const headers = new Headers(init.headers)
  const key = apiKey.get()
  if (key) headers.set('Authorization', `Bearer ${key}`)
  try {
    return await fetch(address, { ...init, headers, cache: 'no-store', credentials: 'omit' })
  } catch (error) {
    if (init.signal?.aborted) throw error
    throw new ApiError({ kind: 'network' })
  }
}

/**
 * Bytes of an event stream in, data fields out. Chunks may be cut anywhere, in the middle of a character or
 * of a line ending too.
 */
export function createEventReader(onData: (data: string) => void): (bytes: Uint8Array) => void {
  const decoder = new TextDecoder()
  const parser = createParser({ onEvent: (event) => onData(event.data) })
  return (bytes) => parser.feed(decoder.decode(bytes, { stream: true }))
}

function parseChunk(data: string): ChatChunk {
  let value: unknown
  try {
    value = JSON.parse(data)
  } catch {
    throw new ApiError({ kind: 'refused', message: 'The server sent a broken line.', status: 200 })
  }
  if (typeof value === 'object' && value !== null && 'error' in value) {
    const message = errorMessage(value) ?? 'The server gave up on this answer.'
    throw new ApiError({ kind: 'refused', message, status: 200 })
  }
  return value as ChatChunk
}

/**
 * One streamed answer. Ends after `[DONE]` or a finish reason; a stream that ends before either throws
 * `network`. Leaving the loop or aborting the signal closes the connection, which stops the engine.
 */
export async function* streamChat(
  request: ChatRequest,
  signal: AbortSignal,
): AsyncGenerator<ChatChunk, void, void> {
  const response = await send('/v1/chat/completions', {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', Accept: 'text/event-stream' },
    body: JSON.stringify(request),
    signal,
  })
  if (!response.ok || !response.body) throw new ApiError(await failureOf(response))
  const queue: string[] = []
  const read = createEventReader((data) => queue.push(data))
  const reader = response.body.getReader()
  let finished = false
  try {
    for (;;) {
      const { value, done } = await nextBytes(reader, signal)
      if (value) read(value)
      for (const data of queue.splice(0)) {
        if (data === '[DONE]') return
        const chunk = parseChunk(data)
        finished ||= chunk.choices?.some((choice) => choice.finish_reason) ?? false
        yield chunk
      }
      if (done) break
    }
  } finally {
    reader.cancel().catch(() => {})
  }
  if (!finished) throw new ApiError({ kind: 'network' })
}

async function nextBytes(reader: ReadableStreamDefaultReader<Uint8Array>, signal: AbortSignal) {
  try {
    return await reader.read()
  } catch (error) {
    if (signal.aborted) throw error
    throw new ApiError({ kind: 'network' })
  }
}

/** Tells the engine to close the thinking of a running answer and to start answering. */
export async function endThinking(completionId: string): Promise<void> {
  const address = `/v1/chat/completions/${encodeURIComponent(completionId)}/end_thinking`
  const response = await send(address, { method: 'POST' })
  if (!response.ok) throw new ApiError(await failureOf(response))
}

/** 503 carries a body of the same kind. */
export async function fetchHealth(): Promise<Health> {
  const response = await send('/health')
  if (!response.ok && response.status !== 503) throw new ApiError(await failureOf(response))
  try {
    return (await response.json()) as Health
  } catch {
    // Something else answers in the server's place.
    throw new ApiError({ kind: 'network' })
  }
}

/** The same model with thinking off and on, which the page says in each request. */
const aliases = ['deepseek-chat', 'deepseek-reasoner']

/** The served model first. */
export async function fetchModels(): Promise<string[]> {
  const response = await send('/v1/models')
  if (!response.ok) throw new ApiError(await failureOf(response))
  const list = (await response.json()) as ModelList
  const ids = list.data.map(({ id }) => id)
  return ids.filter((id, i) => i === 0 || !aliases.includes(id))
}
