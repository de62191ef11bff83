import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { createEventReader, fetchHealth, streamChat } from './client.ts'
import { ApiError, errorMessage, retryAfter } from './errors.ts'
import type { ChatChunk, ChatRequest } from './wire.ts'

const request: ChatRequest = {
  model: 'm',
  messages: [{ role: 'user', content: 'hi' }],
  stream: true,
  stream_options: { include_usage: true },
  thinking: { type: 'enabled' },
}

beforeEach(() => {
  const kept = new Map<string, string>()
  vi.stubGlobal('sessionStorage', {
    getItem: (name: string) => kept.get(name) ?? null,
    setItem: (name: string, value: string) => kept.set(name, value),
  })
})
afterEach(() => vi.unstubAllGlobals())

const bytes = (text: string) => new TextEncoder().encode(text)

function respond(pieces: Uint8Array[], init: ResponseInit = {}, cut = false) {
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      for (const piece of pieces) controller.enqueue(piece)
      if (cut) controller.error(new TypeError('network error'))
      else controller.close()
    },
  })
  vi.stubGlobal('fetch', async () => new Response(body, init))
}

async function collect(): Promise<ChatChunk[]> {
  const chunks: ChatChunk[] = []
  for await (const chunk of streamChat(request, new AbortController().signal)) chunks.push(chunk)
  return chunks
}

const line = (body: unknown) => `data: ${JSON.stringify(body)}\n\n`
const delta = (content: string, finish: string | null = null) =>
  line({ id: 'c', choices: [{ index: 0, delta: { content }, finish_reason: finish }] })

const wire =
  `: keep-alive\n\ndata: {"a":"é–深"}\r\n\r\n` +
  `event: message\rid: 7\rdata: {"b":\rdata: 2}\r\rretry: 10\ndata:{"c":3}\n\ndata: [DONE]\n\n`

test('an event stream cut at every byte gives the same events', () => {
  const all = bytes(wire)
  const expected = ['{"a":"é–深"}', '{"b":\n2}', '{"c":3}', '[DONE]']
  for (let cut = 0; cut <= all.length; cut++) {
    const found: string[] = []
    const read = createEventReader((data) => found.push(data))
    read(all.subarray(0, cut))
    read(all.subarray(cut))
    expect(found, `cut at ${cut}`).toEqual(expected)
  }
  const found: string[] = []
  const read = createEventReader((data) => found.push(data))
  for (let i = 0; i < all.length; i++) read(all.subarray(i, i + 1))
  expect(found).toEqual(expected)
})

test('chunks come in order and the stream ends at [DONE]', async () => {
  respond([bytes(delta('one')), bytes(delta('two', 'stop')), bytes('data: [DONE]\n\n')])
  const chunks = await collect()
  expect(chunks.map((chunk) => chunk.choices[0]?.delta.content)).toEqual(['one', 'two'])
})

test('a missing [DONE] is accepted after a finish reason', async () => {
  respond([bytes(delta('all', 'stop'))])
  expect(await collect()).toHaveLength(1)
})

const failures = [
  ['a stream that ends early', [delta('half')], {}, false, { kind: 'network' }],
  ['a cut connection', [delta('half')], {}, true, { kind: 'network' }],
  [
    'an error line',
    [delta('half'), line({ error: { message: 'out of KV memory' } })],
    {},
    false,
    { kind: 'refused', message: 'out of KV memory', status: 200 },
  ],
  ['401', ['{}'], { status: 401 }, false, { kind: 'key' }],
  [
    '429 with Retry-After',
    ['{"error":{"message":"full"}}'],
    { status: 429, headers: { 'Retry-After': '3' } },
    false,
    { kind: 'busy', message: 'full', retryAfterMs: 3000 },
  ],
  [
    '503 while loading',
    ['{"error":{"message":"the model is still loading","code":"model_loading"}}'],
    { status: 503, headers: { 'Retry-After': '2' } },
    false,
    { kind: 'loading' },
  ],
  [
    '400',
    ['{"error":{"message":"prompt of 5000 tokens, at most 4096"}}'],
    { status: 400 },
    false,
    { kind: 'refused', message: 'prompt of 5000 tokens, at most 4096', status: 400 },
  ],
  [
    'a proxy’s HTML page',
    ['<html>'],
    { status: 502 },
    false,
    { kind: 'refused', message: 'The server answered 502.', status: 502 },
  ],
] as const

test.each(failures)('%s is told as what it is', async (_, pieces, init, cut, failure) => {
  respond(
    pieces.map((piece) => bytes(piece)),
    init,
    cut,
  )
  const error = await collect().catch((thrown) => thrown)
  expect(error).toBeInstanceOf(ApiError)
  expect((error as ApiError).failure).toEqual(failure)
})

test('health: loading and failed come with 503, anything else is no server of ours', async () => {
  const loading = { status: 'loading', progress: { stage: 'experts', done: 1, total: 4 } }
  respond([bytes(JSON.stringify(loading))], { status: 503 })
  expect(await fetchHealth()).toEqual(loading)
  respond([bytes('<html>')], { status: 200 })
  const error = await fetchHealth().catch((thrown) => thrown)
  expect((error as ApiError).failure).toEqual({ kind: 'network' })
})

test('no connection at all', async () => {
  vi.stubGlobal('fetch', async () => {
    throw new TypeError('Failed to fetch')
  })
  const error = await fetchHealth().catch((thrown) => thrown)
  expect((error as ApiError).failure).toEqual({ kind: 'network' })
})

test('Retry-After as seconds, as a date, and as nonsense', () => {
  const now = Date.parse('Wed, 21 Oct 2026 07:28:00 GMT')
  expect(retryAfter('2', now)).toBe(2000)
  expect(retryAfter('Wed, 21 Oct 2026 07:28:10 GMT', now)).toBe(10_000)
  expect(retryAfter('Wed, 21 Oct 2026 07:27:00 GMT', now)).toBe(0)
  expect(retryAfter('soon', now)).toBeUndefined()
  expect(retryAfter(null, now)).toBeUndefined()
  expect(errorMessage({ error: 'plain' })).toBe('plain')
  expect(errorMessage([])).toBeUndefined()
})
