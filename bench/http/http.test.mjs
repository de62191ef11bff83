// The load generator against synthetic times and against a server whose delays are known.
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { describe, expect, it, onTestFinished } from 'vitest'
import { createAgent, SseReader, send } from './client.mjs'
import { closedLoop, openLoop } from './load.mjs'
import { startMock } from './mock.mjs'
import { parseOptions } from './options.mjs'
import { duration, goodputPlot, latencyPlot, linearTicks, logTicks } from './plot.mjs'
import { runLoad } from './run.mjs'
import { spawnServer } from './spawn.mjs'
import { isGood, measure, percentile, quantiles, summarise } from './summary.mjs'
import { arrivals, lengths, random, requests } from './workload.mjs'

async function mock(plan, options) {
  const server = await startMock(plan, options)
  onTestFinished(() => server.close())
  const url = new URL(`${server.url}/v1/chat/completions`)
  const agent = createAgent(url)
  onTestFinished(() => agent.destroy())
  const ask = (messages, max_tokens, seed) =>
    send({ url, agent, body: { model: 'm', messages, max_tokens, seed, stream: true } })
  return { ...server, ask }
}

const hello = [{ role: 'user', content: 'hello' }]
const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length

describe('workload', () => {
  it('Poisson arrivals have the rate, the spread and the seed', () => {
    const times = arrivals({ count: 20_001, rate: 4, seed: 3 })
    const gaps = times.slice(1).map((t, i) => t - times[i])
    // 20,000 exponential gaps: the mean is within 0.7 % (one sigma); their deviation equals their mean.
    expect(mean(gaps)).toBeGreaterThan(245)
    expect(mean(gaps)).toBeLessThan(255)
    const deviation = Math.sqrt(mean(gaps.map((gap) => (gap - mean(gaps)) ** 2)))
    expect(deviation / mean(gaps)).toBeCloseTo(1, 1)
    expect(arrivals({ count: 9, rate: 4, seed: 3 })).toEqual(times.slice(0, 9))
    expect(arrivals({ count: 9, rate: 4, seed: 4 })).not.toEqual(times.slice(0, 9))
    expect(arrivals({ count: 3, rate: 4, kind: 'constant' })).toEqual([0, 250, 500])
  })

  it.each([
    ['128', 128, 128, 128],
    ['uniform:50-150', 50, 150, 100],
    ['lognormal:200,0.5', 1, 5000, 200 * Math.exp(0.125)],
    ['lognormal:200,0.5..300', 1, 300, undefined],
    ['exp:80', 1, 5000, 80],
  ])('lengths of %s', (spec, least, most, average) => {
    const [next, sample] = [random(5), lengths(spec)]
    const values = Array.from({ length: 20_000 }, () => sample(next))
    expect(Math.min(...values)).toBeGreaterThanOrEqual(least)
    expect(Math.max(...values)).toBeLessThanOrEqual(most)
    if (average) expect(Math.abs(mean(values) / average - 1)).toBeLessThan(0.02)
  })

  it.each(['', 'x', '-3', '0', 'uniform:5', 'normal:3', 'lognormal:100', 'exp:80..0'])(
    'refuses the length "%s"',
    (spec) => expect(() => lengths(spec)).toThrow(/expected N, uniform/),
  )

  it('prompts: shared beginnings, lengths, salts', () => {
    const options = { count: 400, prompt: '40', output: 'uniform:5-9', seed: 2 }
    const shared = { sharedPrefix: 0.25, prefixTokens: 30, prefixes: 3 }
    const list = requests({ ...options, ...shared })
    const those = list.filter((request) => request.shared)
    expect(those.length / 400).toBeCloseTo(0.25, 1)
    const systems = new Set(those.map(({ messages }) => messages[0].content))
    expect(systems.size).toBe(3)
    expect([...systems].map((text) => text.split(' ').length)).toEqual([30, 30, 30])
    expect(those[0].messages[1].content.split(' ')).toHaveLength(1 + 10)
    expect(new Set(list.map(({ messages }) => messages.at(-1).content)).size).toBe(400)
    expect(requests({ ...options, ...shared })).toEqual(list)
    const salted = requests({ ...options, ...shared, salt: 1 })
    expect(salted.map((r) => r.maxTokens)).toEqual(list.map((r) => r.maxTokens))
    expect(salted[0].messages).not.toEqual(list[0].messages)
    const calibration = { base: 10, perWord: 3 }
    const [one] = requests({ ...options, count: 1, calibration })
    expect(one.messages[0].content.split(' ')).toHaveLength(1 + 10)
  })
})

describe('figures', () => {
  it('percentiles interpolate between ranks', () => {
    const values = Float64Array.from({ length: 101 }, (_, i) => i)
    expect([0, 50, 99, 99.5, 100].map((p) => percentile(values, p))).toEqual([0, 50, 99, 99.5, 100])
    expect(percentile([1, 2, 3, 4], 50)).toBe(2.5)
    expect(percentile([7], 99)).toBe(7)
    expect(percentile([], 50)).toBeNaN()
    expect(quantiles([3, 1, 2])).toHaveLength(201)
    expect(quantiles([])).toEqual([])
  })

  const result = (dueAt, times, more = {}) => ({
    ...{ dueAt, startedAt: dueAt + 5, times, endedAt: (times.at(-1) ?? dueAt) + 1 },
    ...more,
  })

  it('one request: from when it was due, and tokens as the server counts them', () => {
    const usage = {
      ...{ prompt_tokens: 20, completion_tokens: 9, prompt_cache_hit_tokens: 16 },
      completion_tokens_details: { reasoning_tokens: 4 },
    }
    expect(measure(result(100, [150, 170, 170, 230], { usage }))).toEqual({
      ...{ lag: 5, ttft: 50, e2e: 130, itl: [20, 0, 60], tpot: 10, itlP99: expect.closeTo(59.2) },
      ...{ promptTokens: 20, cachedTokens: 16, tokens: 9, reasoningTokens: 4, error: undefined },
    })
    const openAi = { prompt_tokens: 3, prompt_tokens_details: { cached_tokens: 2 } }
    expect(measure(result(0, [1], { usage: openAi }))).toMatchObject({ cachedTokens: 2, tokens: 1 })
    expect(measure(result(0, []))).toMatchObject({ error: 'empty', ttft: Number.NaN })
  })

  it('goodput counts what is in time, without errors and without long gaps', () => {
    const slo = { ttft: 100, itl: 50 }
    const good = result(0, [100, 150])
    expect(isGood(measure(good), slo)).toBe(true)
    const bad = [
      result(0, [101, 150]),
      result(0, [50, 101]),
      result(0, [50, 60], { error: 'cut_off' }),
      result(0, [], { error: 'http_429' }),
    ]
    for (const one of bad) expect(isGood(measure(one), slo)).toBe(false)
    const last = result(1000, [1050, 1060], { endedAt: 2000 })
    const summary = summarise([good, ...bad, last], slo)
    expect(summary).toMatchObject({
      ...{ requests: 6, completed: 4, failed: 2, errors: { cut_off: 1, http_429: 1 } },
      ...{ seconds: 2, completedRate: 2, goodput: 1, goodShare: 2 / 6, offeredRate: 5 },
    })
  })
})

describe('the wire', () => {
  it('events in any pieces: split characters, CRLF, comments, other fields', () => {
    const text = ': hi\n\ndata: {"a":"é✓"}\r\n\r\nevent: x\ndata:[DONE]\n\n'
    for (let size = 1; size < 9; size++) {
      const [reader, bytes, seen] = [new SseReader(), Buffer.from(text), []]
      for (let i = 0; i < bytes.length; i += size)
        seen.push(...reader.push(bytes.subarray(i, i + size)))
      expect(seen).toEqual(['{"a":"é✓"}', '[DONE]'])
    }
  })

  it.each([
    ['a refusal', { status: 429 }, 'http_429'],
    ['a cut socket', { tokens: 5, cutAfter: 2 }, 'ECONNRESET'],
    ['an error in the stream', { tokens: 5, errorAfter: 2 }, 'stream: server_error'],
    ['nothing at all', { tokens: 0 }, 'empty'],
  ])('%s is an error', async (_, plan, error) => {
    const { ask } = await mock(() => plan)
    expect(measure({ dueAt: 0, ...(await ask(hello, 5)) }).error).toBe(error)
  })

  it('a server that is not there, and one that says nothing', async () => {
    const { url, ask } = await mock(() => ({ first: 5000 }))
    const target = new URL(`${url}/v1/chat/completions`)
    expect(await send({ url: target, body: {}, timeoutMs: 30 })).toMatchObject({ error: 'timeout' })
    const closed = new URL('http://127.0.0.1:1/v1/chat/completions')
    expect(await send({ url: closed, body: {} })).toMatchObject({ error: 'ECONNREFUSED' })
    void ask
  })
})

// The mock and the client share this process, so a busy machine delays both; what the client measured is held against
// the times at which the mock wrote.
describe('against known delays', () => {
  it('percentiles are those of what the server did', async () => {
    const { ask, log } = await mock((i) => ({ first: 20 + 20 * (i % 10), gap: 10, tokens: 8 }))
    const schedule = arrivals({ count: 30, rate: 50, kind: 'constant' })
    const pauses = monitorEventLoopDelay({ resolution: 1 })
    pauses.enable()
    const results = await openLoop(schedule, (i) => ask(hello, 8, i))
    pauses.disable()
    const { latency } = summarise(results, { ttft: 1, itl: 1 })
    const written = results.map((_, i) => log.find(({ body }) => body.seed === i).writes)
    for (const [i, { times }] of results.entries())
      for (const [k, at] of times.entries()) expect(at).toBeGreaterThanOrEqual(written[i][k])
    const ascending = (values) => values.sort((a, b) => a - b)
    const first = ascending(written.map((writes, i) => writes[0] - results[i].dueAt))
    const last = ascending(written.map((writes, i) => writes[7] - results[i].dueAt))
    const gaps = ascending(written.flatMap((w) => w.slice(1).map((at, k) => at - w[k])))
    for (const [name, values] of Object.entries({ ttft: first, itl: gaps, e2e: last })) {
      expect(latency[name].count).toBe(values.length)
      // What was written is read in the next round of the event loop, which takes as long as the longest pause.
      const slack = 5 + (2 * pauses.max) / 1e6
      for (const p of [50, 90, 99]) {
        const off = Math.abs(latency[name][`p${p}`] - percentile(values, p))
        expect(off, `${name} p${p}`).toBeLessThan(slack)
      }
    }
    // Half of the requests were told to take 120 ms or more, and timers are never early by more than one.
    expect(latency.ttft.p50).toBeGreaterThan(108)
    expect(latency.itl.p50).toBeGreaterThan(8)
  })

  it('a load counts what comes after its warm-up', async () => {
    const { ask, log } = await mock(() => ({ tokens: 8, reasoning: 3, cached: 2 }))
    const options = {
      workload: { count: 30, arrival: 'constant', prompt: '12', output: '8', seed: 1, salt: 0 },
      ...{ warmup: 2, slo: { ttft: 10_000, itl: 10_000 } },
    }
    const { summary, rows } = await runLoad(ask, { rate: 50 }, options, 0)
    expect(summary).toMatchObject({
      ...{ completed: 30, failed: 0, outputTokens: 240, reasoningTokens: 90, cachedTokens: 60 },
      ...{ goodShare: 1, rate: 50 },
    })
    expect(summary.offeredRate).toBeCloseTo(50, 6)
    expect(rows).toHaveLength(30)
    const sixth = log.find(({ body }) => body.seed === 6).body
    expect(sixth).toMatchObject({ max_tokens: 8, stream: true })
    expect(log).toHaveLength(32)
  })

  it('open loop: a slow server does not slow the arrivals, and its queue is seen', async () => {
    const { ask, log } = await mock(() => ({ first: 40 }), { serial: true })
    const results = await openLoop(arrivals({ count: 15, rate: 50, kind: 'constant' }), () =>
      ask(hello, 1),
    )
    // Served one by one in 40 ms, due every 20 ms: each waits 20 ms longer than the one before.
    const ttft = results.map((result) => measure(result).ttft)
    expect(ttft[14]).toBeGreaterThan(40 * 15 - 20 * 14 - 5)
    expect(log[14].arrivedAt - log[0].arrivedAt).toBeLessThan(40 * 14)
    const closed = await closedLoop(5, 1, () => ask(hello, 1))
    expect(measure(closed[4]).ttft).toBeLessThan(ttft[14])
  })

  it('a client that stalls counts it as latency', async () => {
    const { ask } = await mock(() => ({}))
    await ask(hello, 1)
    const run = openLoop([0, 20, 40], () => ask(hello, 1))
    const until = performance.now() + 150
    while (performance.now() < until);
    const [, second, third] = (await run).map(measure)
    expect(second.lag).toBeGreaterThan(120)
    expect(second.ttft).toBeGreaterThan(second.lag)
    expect(third.lag).toBeGreaterThan(100)
  })

  it('closed loop keeps so many at once', async () => {
    let [now, most] = [0, 0]
    const results = await closedLoop(20, 4, async (i) => {
      most = Math.max(most, ++now)
      await new Promise((resolve) => setTimeout(resolve, 1 + (i % 3)))
      now--
      return { i }
    })
    expect(most).toBe(4)
    expect(results.map(({ i }) => i)).toEqual(Array.from({ length: 20 }, (_, i) => i))
  })
})

describe('command line and plots', () => {
  it('options', () => {
    const options = parseOptions(['--rate', '1,2.5', '--requests', '7', '--body', '{"top_k":1}'])
    expect(options).toMatchObject({ loads: [{ rate: 1 }, { rate: 2.5 }], body: { top_k: 1 } })
    expect(options.workload.count).toBe(7)
    expect(parseOptions(['--spawn', '--', 'folder', '--threads', '2']).serveArgs).toEqual([
      'folder',
      '--threads',
      '2',
    ])
  })

  it.each([
    [['--rate', '0'], '--rate: expected'],
    [['--rate', '1', '--concurrency', '2'], 'expected one of them'],
    [['--body', '[]'], '--body: expected a JSON object'],
    [['--arrival', 'often'], '--arrival'],
    [['--shared-prefix', '2'], 'from 0 to 1'],
    [['folder'], 'need --spawn'],
    [['--rat', '1'], "Unknown option '--rat'"],
  ])('%j is refused', (args, message) => expect(() => parseOptions(args)).toThrow(message))

  it('--spawn says why a server did not start', async () => {
    const command = new URL('./run.mjs', import.meta.url).pathname
    await expect(spawnServer([], { command })).rejects.toThrow(/not ready \(exit 1\)[\s\S]*--port/)
  })

  it('ticks are round', () => {
    expect(logTicks(18, 700)).toEqual([20, 50, 100, 200, 500])
    expect(logTicks(1, 100_000)).toEqual([1, 10, 100, 1000, 10_000, 100_000])
    expect(linearTicks(37)).toEqual([0, 10, 20, 30, 40])
    expect(linearTicks(0.9)).toEqual([0, 0.2, 0.4, 0.6, 0.8, 1])
    expect([0.25, 12, 1500].map(duration)).toEqual(['250 µs', '12 ms', '1.5 s'])
  })

  it.each([{ rate: 2 }, { concurrency: 8 }])('plots of %o hold finite numbers only', (load) => {
    const slo = { ttft: 100, itl: 50 }
    const times = (i) => [50 + i, 50 + i, 90 + i]
    const results = [0, 1, 2].map((i) => ({
      ...{ dueAt: i * 10, startedAt: i * 10, times: times(i * 10), endedAt: 200 },
    }))
    const failed = results.map((result) => ({ ...result, times: [], error: 'http_429' }))
    const runs = [results, failed].map((list) => ({ ...load, ...summarise(list, slo) }))
    const report = {
      ...{ slo, runs, date: '2026-01-02', model: 'a<b', machine: { cpu: 'x', cores: 2 } },
      workload: { prompt: '1', output: '2', sharedPrefix: 0.5, prefixTokens: 9 },
    }
    for (const svg of [latencyPlot(report), goodputPlot(JSON.parse(JSON.stringify(report)))]) {
      expect(svg).not.toMatch(/NaN|Infinity|undefined|a<b/)
      expect(svg).toContain('SLO')
    }
  })
})
