// The engine under load over the fake model, which throws when a block is shared with the wrong
// sequence: prefix cache, queue, thinking ended by hand, draining.
import { setTimeout as sleep } from 'node:timers/promises'
import { FakeModel, type FakeModelOptions } from '@hadal/testing'
import { describe, expect, it } from 'vitest'
import { Engine, type TokenStream } from './engine.ts'
import type { EngineError } from './error.ts'
import type { EngineOptions } from './options.ts'
import type { Finish, Token } from './request.ts'

interface Result {
  ids: number[]
  tokens: Token[]
  finish: Finish
}

async function collect(stream: TokenStream): Promise<Result> {
  const tokens: Token[] = []
  for (;;) {
    const next = await stream.next()
    if (next.done) return { tokens, ids: tokens.map((token) => token.id), finish: next.value }
    tokens.push(next.value)
  }
}

function prompt(length: number, salt = 0): Int32Array {
  return Int32Array.from({ length }, (_, i) => 10 + ((i * 37 + salt * 101) % 500))
}

function setUp(model: FakeModelOptions = {}, options: EngineOptions = {}) {
  const limits = { maxTokens: 256, maxSequences: 16, maxRows: 16, contextLength: 4096 }
  const fake = new FakeModel({ ...model, limits: { ...limits, blockCount: 512, ...model.limits } })
  return { model: fake, engine: new Engine(fake, {}, options) }
}

/** Ids that the model has read so far, chosen ones included. */
const read = (model: FakeModel) => model.batches.reduce((sum, batch) => sum + batch.ids.length, 0)
const greedy = { temperature: 0 }
const codeOf = (error: EngineError) => error.code

describe('prefix cache', () => {
  it('lets the second turn of a long chat read its new ids only', async () => {
    const { model, engine } = setUp()
    const first = await collect(engine.generate(prompt(1000), { ...greedy, maxTokens: 200 }))
    expect(first.finish.cachedTokens).toBe(0)
    const second = [...prompt(1000), ...first.ids, ...prompt(40, 7)]
    const before = read(model)
    const { ids, finish } = await collect(engine.generate(second, { ...greedy, maxTokens: 10 }))
    // 1,199 ids were stored, in 18 full blocks.
    expect(finish).toMatchObject({ promptTokens: 1240, cachedTokens: 18 * 64 })
    expect(read(model) - before).toBe(1240 - 18 * 64 + 9)
    expect(ids).toEqual(model.expected(second, 10))
    // A history whose thinking was cut out agrees up to the cut.
    const stripped = [...prompt(1000), ...first.ids.slice(100)]
    const third = await collect(engine.generate(stripped, { ...greedy, maxTokens: 3 }))
    expect(third.finish.cachedTokens).toBe(15 * 64)
    expect(third.ids).toEqual(model.expected(stripped, 3))
    expect(engine.stats.prefixCache).toMatchObject({
      queryTokens: 1000 + 1240 + 1100,
      hitTokens: 33 * 64,
      evictions: 0,
    })
  })

  it.each([64, 65, 127, 128, 129, 1000, 1024])(
    'reads at least the last of %i ids that are all there',
    async (length) => {
      const { model, engine } = setUp()
      for (const cached of [0, Math.min(Math.floor(length / 64) * 64, length - 1)]) {
        const before = read(model)
        const run = await collect(engine.generate(prompt(length), { ...greedy, maxTokens: 70 }))
        expect(run.ids).toEqual(model.expected(prompt(length), 70))
        expect(run.finish.cachedTokens).toBe(cached)
        expect(read(model) - before).toBe(length - cached + 69)
      }
    },
  )

  it('lets 63 of 64 requests with 1,000 common ids read only their own', async () => {
    const { model, engine } = setUp({ limits: { maxSequences: 64, maxRows: 64, blockCount: 2000 } })
    const prompts = Array.from({ length: 64 }, (_, i) => [...prompt(1000), ...prompt(20, i + 1)])
    const runs = await Promise.all(
      prompts.map((ids) => collect(engine.generate(ids, { ...greedy, maxTokens: 8 }))),
    )
    for (const [i, { ids, finish }] of runs.entries()) {
      expect(ids).toEqual(model.expected(prompts[i]!, 8))
      // 1,000 ids fill 15 blocks; the 40 ids of the 16th are nobody else's.
      expect(finish.cachedTokens).toBe(i === 0 ? 0 : 960)
    }
    expect(read(model)).toBe(1020 + 63 * 60 + 64 * 7)
    expect(engine.stats.prefixCache.hitTokens).toBe(63 * 960)
  })

  it('goes on when the request that reads for the others is cancelled', async () => {
    const { model, engine } = setUp({ limits: { maxTokens: 64 } })
    const leader = engine.generate([...prompt(900), 11])
    const began = leader.next()
    const others = [1, 2, 3].map((i) =>
      collect(engine.generate([...prompt(900), 20 + i], { ...greedy, maxTokens: 5 })),
    )
    while (model.batches.length < 4) await sleep(1)
    await leader.return()
    await began
    for (const [i, { ids }] of (await Promise.all(others)).entries()) {
      expect(ids).toEqual(model.expected([...prompt(900), 21 + i], 5))
    }
    // What the first of them read, it read for all.
    expect(read(model)).toBeLessThan(1100)
  })

  it('does not give up what others cached for prefixes that it will share', async () => {
    const { engine } = setUp({ limits: { blockCount: 60, maxSequences: 32, maxRows: 32 } })
    await collect(engine.generate(prompt(640, 9), { ...greedy, maxTokens: 1 }))
    // Apart they would need 20 × 9 blocks, together 8 + 20.
    const runs = Array.from({ length: 20 }, (_, i) =>
      collect(engine.generate([...prompt(512), 20 + i], { ...greedy, maxTokens: 4 })),
    )
    await Promise.all(runs)
    expect(engine.stats).toMatchObject({ preemptions: 0, prefixCache: { evictions: 0 } })
  })

  it('shares nothing between salts', async () => {
    const { engine } = setUp()
    const cached = async (cacheSalt?: string) => {
      const options = { ...greedy, maxTokens: 1, ...(cacheSalt && { cacheSalt }) }
      return (await collect(engine.generate(prompt(200), options))).finish.cachedTokens
    }
    expect([await cached(), await cached(), await cached('a')]).toEqual([0, 192, 0])
    expect([await cached('b'), await cached('a'), await cached('b')]).toEqual([0, 192, 192])
    await expect(collect(engine.generate(prompt(5), { cacheSalt: '' }))).rejects.toThrow(
      'cacheSalt',
    )
  })

  it('keeps its memory when the engine is idle, and gives it to those who need it', async () => {
    const { model, engine } = setUp({ limits: { blockCount: 20 } })
    await collect(engine.generate(prompt(700), { ...greedy, maxTokens: 1 }))
    await engine.idle
    // 11 blocks; the last is not full.
    expect(model.trimmed).toEqual([10])
    expect(engine.stats).toMatchObject({ blocksFree: 20, prefixCache: { blocks: 10 } })
    await collect(engine.generate(prompt(1000, 3), { ...greedy, maxTokens: 1 }))
    expect(engine.stats.prefixCache).toMatchObject({ blocks: 19, evictions: 6 })
    const again = await collect(engine.generate(prompt(700), { ...greedy, maxTokens: 1 }))
    expect(again.finish.cachedTokens).toBe(4 * 64)
  })

  it('is neither used nor filled by forward()', async () => {
    const { model, engine } = setUp()
    await collect(engine.generate(prompt(300), { ...greedy, maxTokens: 1 }))
    const { blocks } = engine.stats.prefixCache
    const { logits } = await engine.forward(prompt(300, 1))
    await engine.forward(prompt(300))
    expect(logits.length).toBe(300 * 512)
    expect(engine.stats.prefixCache).toMatchObject({ blocks, hitTokens: 0, queryTokens: 300 })
    const run = await collect(engine.generate(prompt(300, 1), { ...greedy, maxTokens: 2 }))
    expect(run.finish.cachedTokens).toBe(0)
    expect(run.ids).toEqual(model.expected(prompt(300, 1), 2))
  })

  it('makes preemption cheap', async () => {
    const { model, engine } = setUp({ limits: { blockCount: 30, contextLength: 1920 } })
    const long = collect(engine.generate(prompt(800), { ...greedy, maxTokens: 300 }))
    const other = collect(engine.generate(prompt(600, 1), { ...greedy, maxTokens: 300 }))
    const [a, b] = await Promise.all([long, other])
    expect(engine.stats.preemptions).toBeGreaterThan(0)
    expect([a.ids, b.ids]).toEqual([
      model.expected(prompt(800), 300),
      model.expected(prompt(600, 1), 300),
    ])
    expect(b.finish.cachedTokens).toBe(0)
    // Without the cache, the 600 ids and what came after them would have been read a second time.
    expect(engine.stats.tokensPrefilled).toBeLessThan(1400 + 500)
  })

  it('can be left out', async () => {
    const { engine } = setUp({}, { prefixCache: false })
    for (let i = 0; i < 2; i++) {
      const { finish } = await collect(engine.generate(prompt(200), { ...greedy, maxTokens: 1 }))
      expect(finish.cachedTokens).toBe(0)
    }
    expect(engine.stats.prefixCache).toMatchObject({ blocks: 0, hitTokens: 0 })
  })
})

describe('fairness', () => {
  it('answers a short prompt while a long one is read, and bounds what reading adds to a step', async () => {
    // A decode step takes 5 ms, each id read 1 ms: with a limit of 40 ms, about 35 ids a step.
    const delay = (step: number): number => {
      const batch = model.batches[step]!
      return batch.ids.length > 1 ? 5 + batch.ids.length : 5
    }
    const { model, engine } = setUp({ delay }, { maxStepMs: 40 })
    const decoding = engine.generate(prompt(1), greedy)
    for (let i = 0; i < 3; i++) await decoding.next()
    const long = collect(engine.generate(prompt(3000, 1), { ...greedy, maxTokens: 1 }))
    await sleep(100)
    const before = model.batches.length
    const short = await collect(engine.generate(prompt(60, 2), { ...greedy, maxTokens: 1 }))
    expect(engine.stats.requests[1]).toMatchObject({ promptTokens: 3000, completionTokens: 0 })
    expect(short.finish.reason).toBe('length')
    // By itself 2 steps; the long one takes 80 and more.
    expect(model.batches.length - before).toBeLessThan(20)
    const lengths = model.batches.slice(8).map((batch) => batch.ids.length)
    expect(Math.max(...lengths)).toBeLessThan(80)
    await decoding.return()
    await long
  })
})

describe('the queue', () => {
  it('refuses what is too many, with the time after which to try again', async () => {
    const { engine } = setUp({ delay: 2, limits: { maxSequences: 2 } }, { maxQueue: 3 })
    const run = (i: number) => collect(engine.generate(prompt(5, i), { ...greedy, maxTokens: 4 }))
    const all = await Promise.allSettled(Array.from({ length: 8 }, (_, i) => run(i)))
    const reasons = all.flatMap((r) => (r.status === 'rejected' ? [r.reason as EngineError] : []))
    expect(reasons.map(codeOf)).toEqual(new Array(3).fill('ERR_HADAL_QUEUE_FULL'))
    expect(reasons[0]!.message).toContain('3 requests wait')
    expect(reasons[0]!.retryAfterMs).toBe(1000)
    await engine.idle
    const running = [run(0), run(1), run(2), run(3), run(4)]
    const late = await run(5).catch((error: EngineError) => error)
    expect(late).toMatchObject({ code: 'ERR_HADAL_QUEUE_FULL' })
    expect((late as EngineError).retryAfterMs).toBeGreaterThanOrEqual(100)
    expect((late as EngineError).retryAfterMs).toBeLessThan(5000)
    await Promise.all(running)
    expect((await run(6)).ids.length).toBe(4)
  })

  it('lets go of who waited too long, and of nobody who began', async () => {
    const { engine } = setUp({ delay: 10, limits: { maxSequences: 1 } }, { queueTimeoutMs: 300 })
    const first = collect(engine.generate(prompt(5), { ...greedy, maxTokens: 60 }))
    const second = await collect(engine.generate(prompt(5, 1))).catch((error: EngineError) => error)
    expect(second).toMatchObject({ code: 'ERR_HADAL_QUEUE_TIMEOUT', retryAfterMs: 1000 })
    expect((await first).ids.length).toBe(60)
    expect(engine.stats.waiting).toBe(0)
  })

  it('checks its options by name', () => {
    for (const [options, message] of [
      [{ maxQueue: -1 }, 'maxQueue'],
      [{ maxQueue: 1.5 }, 'maxQueue'],
      [{ queueTimeoutMs: 0 }, 'queueTimeoutMs'],
      [{ maxStepMs: Number.NaN }, 'maxStepMs'],
      [{ prefixCache: 1 }, 'prefixCache'],
    ] as const) {
      expect(() => setUp({}, options as unknown as EngineOptions)).toThrow(message)
    }
  })
})

describe('ending the thinking by hand', () => {
  const reasoning = { openId: 5, closeId: 6, closeIds: Int32Array.of(8, 6, 9), open: true }

  it('closes it before the next id, then goes on with the answer', async () => {
    const { model, engine } = setUp()
    const end = new AbortController()
    const options = { ...greedy, maxTokens: 20, reasoning: { ...reasoning, endSignal: end.signal } }
    const stream = engine.generate(prompt(10), options)
    const got: number[] = []
    for (let i = 0; i < 5; i++) got.push(((await stream.next()).value as Token).id)
    end.abort()
    const { ids, finish, tokens } = await collect(stream)
    const all = [...got, ...ids]
    const at = tokens.findIndex((token) => token.forced)
    expect(ids.slice(at, at + 3)).toEqual([8, 6, 9])
    expect(tokens.filter((token) => token.forced).length).toBe(3)
    expect(at).toBe(0)
    expect(finish).toMatchObject({ completionTokens: 20, reasoningTokens: 5 })
    const head = all.slice(0, 8)
    expect(all.slice(8)).toEqual(model.expected([...prompt(10), ...head], 12))
  })

  it('does so at once when it fired before, and for thinking that opens later', async () => {
    const end = AbortSignal.abort()
    const { engine } = setUp()
    const now = { ...reasoning, endSignal: end }
    const first = await collect(
      engine.generate(prompt(10), { ...greedy, maxTokens: 6, reasoning: now }),
    )
    expect(first.ids.slice(0, 3)).toEqual([8, 6, 9])
    const next = (_: number, length: number) => (length === 12 ? 5 : undefined)
    const later = { ...now, open: false }
    const second = await collect(
      setUp({ next }).engine.generate(prompt(10), { ...greedy, maxTokens: 8, reasoning: later }),
    )
    expect(second.ids.slice(2, 6)).toEqual([5, 8, 6, 9])
    expect(second.tokens.filter((token) => token.forced).length).toBe(3)
  })

  it('leaves an answer alone, and a thinking that ends by itself', async () => {
    const { model, engine } = setUp()
    const end = new AbortController()
    const closed = { ...reasoning, open: false, endSignal: end.signal }
    const stream = engine.generate(prompt(10), { ...greedy, maxTokens: 9, reasoning: closed })
    await stream.next()
    end.abort()
    const { ids } = await collect(stream)
    expect(ids).toEqual(model.expected(prompt(10), 9).slice(1))
  })
})

describe('draining', () => {
  it('refuses new requests, lets those that are in end, queued ones too', async () => {
    const { model, engine } = setUp({ delay: 1, limits: { maxSequences: 2 } })
    const runs = [0, 1, 2, 3].map((i) =>
      collect(engine.generate(prompt(9, i), { ...greedy, maxTokens: 12 })),
    )
    const never = engine.generate(prompt(9))
    const drained = engine.drain()
    await expect(never.next()).rejects.toMatchObject({ code: 'ERR_HADAL_DRAINING' })
    await expect(engine.forward(prompt(9))).rejects.toMatchObject({ code: 'ERR_HADAL_DRAINING' })
    expect(await drained).toEqual({ cancelled: 0 })
    for (const [i, { ids }] of (await Promise.all(runs)).entries()) {
      expect(ids).toEqual(model.expected(prompt(9, i), 12))
    }
    expect(await engine.drain()).toEqual({ cancelled: 0 })
  })

  it('cancels what is left after its time', async () => {
    const { engine } = setUp({ delay: 5, limits: { maxSequences: 1 } })
    const runs = [0, 1].map((i) => collect(engine.generate(prompt(9, i))))
    const began = performance.now()
    expect(await engine.drain({ timeoutMs: 50 })).toEqual({ cancelled: 2 })
    // Ten seconds and more before their ends.
    expect(performance.now() - began).toBeLessThan(8000)
    const ends = (await Promise.all(runs)).map(({ finish }) => finish.reason)
    expect(ends).toEqual(['cancelled', 'cancelled'])
    await engine.dispose()
    await expect(collect(engine.generate(prompt(9)))).rejects.toMatchObject({
      code: 'ERR_HADAL_DISPOSED',
    })
  })
})
