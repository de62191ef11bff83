// A server under a crowd: `hadal serve` with the embedded model, asked by hundreds at once, left in mid-answer and told
// to end. Nothing lost, nothing mixed up, memory flat, the event loop free, every KV block back.
import { setTimeout as sleep } from 'node:timers/promises'
import { bestOf } from '@hadal/testing'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Ask, allAsks, eventsOf, said, send } from './testdata/asks.ts'
import { type Served, startServer } from './testdata/server.ts'

// biome-ignore lint/suspicious/noExplicitAny: bodies are checked by what follows
type Loose = any

const chat = '/v1/chat/completions'
const user = (content: string) => ({ role: 'user', content })

/** mulberry32 */
function generator(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
}

let server: Served
beforeAll(async () => {
  server = await startServer()
})
afterAll(() => void server?.child.kill('SIGKILL'))

const gauges = async (url: string): Promise<Record<string, number>> => {
  const text = await (await fetch(`${url}/metrics`)).text()
  const lines = text.split('\n').filter((line) => /^\w+ [\d.e+-]+$/.test(line))
  return Object.fromEntries(lines.map((line) => [line.split(' ')[0], Number(line.split(' ')[1])]))
}

/** Nothing runs, nothing waits, and no block is held (those of the cache that nobody uses are free). */
async function expectCalm(url: string): Promise<void> {
  const end = performance.now() + 20_000
  const busy = { running: -1, waiting: -1, active: -1, held: -1 }
  while (Object.values(busy).some((n) => n !== 0) && performance.now() < end) {
    await sleep(5)
    const now = await gauges(url)
    busy.running = now.hadal_requests_running ?? -1
    busy.waiting = now.hadal_requests_waiting ?? -1
    busy.active = now.hadal_choices_active ?? -1
    busy.held = now.hadal_kv_blocks_used ?? -1
  }
  expect(busy).toEqual({ running: 0, waiting: 0, active: 0, held: 0 })
}

/** `work` so many times, `most` at once. */
async function crowd(times: number, most: number, work: (i: number) => Promise<void>) {
  let i = 0
  const worker = async () => {
    while (i < times) await work(i++)
  }
  await Promise.all(Array.from({ length: most }, worker))
}

const usageOf = async (url: string, path: string, body: object): Promise<Loose> =>
  (await send(url, { path, body })).json()

describe('a crowd', () => {
  const asks = allAsks()
  const alone = new Map<Ask, string>()

  it('of 1,000 mixed requests, 64 at once: each gets what it gets alone; memory stays flat', async () => {
    for (const ask of asks) alone.set(ask, await said(server.url, ask))
    const statuses = new Set([...alone.values()].map((text) => JSON.parse(text).status))
    expect([...statuses].sort()).toEqual([200, 400, 404])
    const random = generator(1)
    const wrong: string[] = []
    const one = async () => {
      const ask = asks[Math.floor(random() * asks.length)] as Ask
      const got = await said(server.url, ask)
      if (got !== alone.get(ask))
        wrong.push(`${JSON.stringify(ask)}: ${got}, not ${alone.get(ask)}`)
    }
    await crowd(300, 64, one)
    const before = await server.measure()
    await server.watch()
    const began = performance.now()
    await crowd(1000, 64, one)
    const seconds = (performance.now() - began) / 1000
    const after = await server.measure()
    const mb = (bytes: number) => Math.round(bytes / 1e5) / 10
    console.log(
      `1,000 mixed requests, 64 at once, in ${seconds.toFixed(1)} s: ${wrong.length} lost or mixed up; event-loop lag p99 ${after.own.toFixed(1)} ms of the server's own (longest ${after.most.toFixed(1)}), ${after.wall.toFixed(1)} ms by the clock; RSS ${mb(before.rss)} → ${mb(after.rss)} MB, heap ${mb(before.heap)} → ${mb(after.heap)} MB`,
    )
    expect(wrong).toEqual([])
    await expectCalm(server.url)
    expect(after.own).toBeLessThanOrEqual(20)
    // V8's young generation may differ by its three halves of 16 MB; a KiB kept of each request would be 1 MB of heap,
    // of which the 256 stored responses may be some.
    expect(mb(after.rss - before.rss)).toBeLessThan(48)
    expect(mb(after.heap - before.heap)).toBeLessThan(3)
  })

  it('of 200 that leave in mid-flight: the server answers within 2 s, with every block back', async () => {
    // Some 0.4 s: the best of five, as the claim is of the server and not of what else the machine does.
    expect(await bestOf(5, 2000, twoHundredLeave)).toBeLessThan(2000)
  })

  async function twoHundredLeave(): Promise<number> {
    const random = generator(2)
    let [cut, whole] = [0, 0]
    const leave = async (i: number) => {
      // Answers that would never end; every second one has a long prompt to read first.
      const content = `${i} ${'What is 47 * 36? '.repeat(i % 2 === 0 ? 1 : 20)}`
      const body = { messages: [user(content)], temperature: 2, logit_bias: { 1: -100 } }
      const abort = new AbortController()
      setTimeout(() => abort.abort(), random() ** 2 * 1500)
      const stream = i % 3 !== 0
      const ask = { path: chat, body: { ...body, stream, seed: i } }
      await send(server.url, ask, abort.signal)
        .then((response) => response.text())
        .then(
          () => whole++,
          () => cut++,
        )
    }
    await Promise.all(Array.from({ length: 200 }, (_, i) => leave(i)))
    const began = performance.now()
    const ask = asks[0] as Ask
    expect(await said(server.url, ask)).toBe(alone.get(ask))
    const ms = performance.now() - began
    console.log(`${cut} of 200 left in mid-flight; the next answer took ${ms.toFixed(0)} ms`)
    expect(cut).toBeGreaterThan(150)
    expect(cut + whole).toBe(200)
    await expectCalm(server.url)
    return ms
  }

  it('of 64 with one beginning of 448 tokens: 63 read their own tails alone', async () => {
    const head = Array.from({ length: 448 }, (_, i) => 3 + ((i * 37) % 400))
    const before = await gauges(server.url)
    const read = await Promise.all(
      Array.from({ length: 64 }, async (_, i) => {
        const body = { prompt: [...head, 3 + i, 4, 5, 6], max_tokens: 8, temperature: 0 }
        const { usage } = await usageOf(server.url, '/v1/completions', body)
        return usage.prompt_cache_miss_tokens as number
      }),
    )
    const after = await gauges(server.url)
    const prefilled =
      (after.hadal_tokens_prefilled_total ?? 0) - (before.hadal_tokens_prefilled_total ?? 0)
    const tails = read.filter((tokens) => tokens === 4).length
    console.log(`64 with one beginning of 448 tokens: ${tails} read 4; ${prefilled} read in all`)
    expect(read.sort((a, b) => a - b)).toEqual([...Array(63).fill(4), 452])
    expect(prefilled).toBe(448 + 64 * 4)
    const hits =
      (after.hadal_prefix_cache_hit_tokens_total ?? 0) -
      (before.hadal_prefix_cache_hit_tokens_total ?? 0)
    expect(hits).toBe(63 * 448)
  })
})

describe('schemas of strangers', () => {
  it('10,000 different ones compiled and followed: memory stays flat (H06)', {
    timeout: 900_000,
  }, async () => {
    let number = 0
    const one = async () => {
      const i = number++
      // Small and large ones; each fits itself alone.
      const values = Array.from({ length: i % 100 === 0 ? 2000 : 2 }, (_, j) => `${i} ${j}`)
      const schema = {
        type: 'object',
        properties: { [`k${i}`]: { type: 'string', maxLength: 5 + (i % 50) }, e: { enum: values } },
        required: [`k${i}`, 'e'],
      }
      const json_schema = { name: 'x', schema }
      const body = {
        ...{ messages: [user('Hi')], model: 'deepseek-chat', max_tokens: 4, seed: i },
        response_format: { type: 'json_schema', json_schema },
      }
      const { choices } = await usageOf(server.url, chat, body)
      expect(choices[0].message.content.startsWith('{')).toBe(true)
    }
    await crowd(1000, 32, one)
    const before = await server.measure()
    await crowd(10_000, 32, one)
    const after = await server.measure()
    const mb = (bytes: number) => Math.round(bytes / 1e5) / 10
    console.log(
      `10,000 schemas: RSS ${mb(before.rss)} → ${mb(after.rss)} MB, heap ${mb(before.heap)} → ${mb(after.heap)} MB`,
    )
    await expectCalm(server.url)
    // A KiB kept of each would be 10 MB of heap, or of the automata's memory beside it.
    expect(mb(after.rss - before.rss)).toBeLessThan(48)
    expect(mb(after.heap - before.heap)).toBeLessThan(3)
  })
})

describe('a conversation', () => {
  it('reads only what is new in its second turn, and says what a cold server says', async () => {
    const model = 'deepseek-chat'
    const first = [user(`${'What is 8 + 5? '.repeat(20)}`)]
    const ask = (url: string, messages: object[]) =>
      usageOf(url, chat, { model, messages, temperature: 0, max_tokens: 60 })
    const one = await ask(server.url, first)
    const { content } = one.choices[0].message
    const second = [...first, { role: 'assistant', content }, user('And 5 * 6?')]
    const warm = await ask(server.url, second)
    const cold = await startServer()
    try {
      const other = await ask(cold.url, second)
      const { prompt_tokens: all, prompt_cache_miss_tokens: read } = warm.usage
      const known = one.usage.prompt_tokens
      console.log(`second turn: ${read} of ${all} tokens read, ${known} were known`)
      expect(other.usage.prompt_cache_hit_tokens).toBe(0)
      expect(warm.choices[0].message).toEqual(other.choices[0].message)
      // Whole blocks of 64 tokens are found again.
      expect(read).toBeLessThan(all - known + 64)
    } finally {
      cold.child.kill('SIGKILL')
    }
  })
})

describe('SIGTERM', () => {
  it('lets a running stream end, and the process with code 0', async () => {
    const body = { messages: [user('What is 47 * 36?')], temperature: 0, stream: true, n: 8 }
    const response = await send(server.url, { path: chat, body })
    server.child.kill('SIGTERM')
    const text = await response.text()
    const ends = eventsOf(text).flatMap(({ choices }) =>
      choices.map((choice: Loose) => choice.finish_reason),
    )
    expect(text.trimEnd().endsWith('data: [DONE]')).toBe(true)
    expect(ends.filter((end) => end === 'stop')).toHaveLength(8)
    expect(await server.exit).toBe(0)
    expect(server.err()).not.toMatch(/warning|error/i)
  })
})
