// H38: the machine's clock is set, by hand or by NTP, while answers run. Everything that lasts is measured by a clock
// that nobody sets; only time stamps are of the day.
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { joined, type Loose, parseEvents, user } from './testdata/client.ts'
import { alive, ask, live, post, until } from './testdata/socket.ts'

const day = 86_400_000
const start = Date.parse('2026-06-01T12:00:00Z')
// Timers stay: what is put forward and back is the time of the day alone.
beforeEach(() => void vi.useFakeTimers({ toFake: ['Date'], now: start }))
afterEach(() => void vi.useRealTimers())
const jump = (ms: number) => vi.setSystemTime(Date.now() + ms)

const text = '[[x*60]]'
const said = 'x'.repeat(60)
const slow = { delay: 5 }
const plausible = (ms: number) => ms >= 0 && ms < 60_000

describe.each([
  ['a day forward', day],
  ['a year back', -365 * day],
  ['to before 1970', -100 * 365 * day],
])('a clock put %s', (_, ms) => {
  it('in the middle of a stream changes nothing of it, nor of its numbers', async () => {
    await using server = await live({}, slow)
    const body = { messages: [user(text)], stream: true, stream_options: { include_usage: true } }
    const response = await post(server.url, body)
    await until(() => server.model.stats.tokensGenerated > 10)
    jump(ms)
    const { chunks, done } = parseEvents(await response.text())
    expect(done).toBe(true)
    expect(joined(chunks)).toMatchObject({ content: said, finish: ['stop'] })
    expect(new Set(chunks.map(({ created }) => created))).toEqual(new Set([start / 1000]))
    const { hadal } = chunks.at(-1)
    expect(hadal.stopped).toBeNull()
    expect(plausible(hadal.ttft_ms)).toBe(true)
    expect(hadal.tokens_per_second).toBeGreaterThan(0)
    await until(() => server.log.length > 0)
    const [line] = server.log
    expect([line.ms, line.ttft_ms].every(plausible)).toBe(true)
    expect(line.end).toBe('stop')
    const metrics = await (await fetch(`${server.url}/metrics`)).text()
    for (const name of ['request', 'time_to_first_token', 'inter_token']) {
      const sum = Number(new RegExp(`^hadal_${name}_seconds_sum (\\S+)$`, 'm').exec(metrics)?.[1])
      expect(plausible(sum * 1000), name).toBe(true)
    }
    await alive(server)
  })

  it('ends no answer, and keeps none from its turn', async () => {
    const one = { maxSequences: 1, maxRows: 1 }
    await using server = await live({ maxQueue: 4 }, { ...slow, limits: one })
    const asked = Array.from({ length: 4 }, (_, i) =>
      ask(server.url, text, { priority: i, thinking: { type: 'disabled' } }),
    )
    await until(() => server.model.stats.waiting > 0)
    jump(ms)
    for (const { status, choices } of await Promise.all(asked)) {
      expect(status).toBe(200)
      expect(choices[0].message.content).toBe(said)
    }
    expect(server.handle.app.core.jobs.size).toBe(0)
  })

  it('lets no response end before it began', async () => {
    await using server = await live({}, slow)
    const asked = fetch(`${server.url}/v1/responses`, {
      ...{ method: 'POST', headers: { 'content-type': 'application/json' } },
      body: JSON.stringify({ input: text }),
    })
    await until(() => server.model.stats.tokensGenerated > 10)
    jump(ms)
    const { created_at, completed_at } = (await (await asked).json()) as Loose
    expect(created_at).toBe(start / 1000)
    expect(completed_at - created_at).toBeGreaterThanOrEqual(0)
    expect(completed_at - created_at).toBeLessThan(60)
  })
})

it('time limits pass by the other clock', async () => {
  await using server = await live({ limits: { requestMs: 1500 } }, slow)
  const asked = ask(server.url, '[[x*3000]]')
  await until(() => server.model.stats.tokensGenerated > 3)
  jump(-365 * day)
  expect((await asked).hadal.stopped).toBe('timeout')
})
