// The engine over a model without arithmetic, which throws when a KV slot is mixed up.
import { setTimeout as sleep } from 'node:timers/promises'
import { FakeModel } from '@hadal/testing'
import { describe, expect, it } from 'vitest'
import { Engine, type TokenStream } from './engine.ts'
import type { EngineError } from './error.ts'
import type { Finish, Token } from './request.ts'
import type { GenerateOptions } from './sampling.ts'

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

/** A small seeded generator, so that a failing storm can be run again. */
function random(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state / 2 ** 32
  }
}

function expectAllFree(engine: Engine): void {
  const { blocksFree, blocksTotal, running, waiting } = engine.stats
  expect({ blocksFree, running, waiting }).toEqual({
    blocksFree: blocksTotal,
    running: 0,
    waiting: 0,
  })
}

describe('generation', () => {
  it('gives the ids of the model and reports why and how fast it ended', async () => {
    const model = new FakeModel()
    const engine = new Engine(model)
    const { ids, finish } = await collect(
      engine.generate(prompt(10), { maxTokens: 20, temperature: 0 }),
    )
    expect(ids).toEqual(model.expected(prompt(10), 20))
    expect(finish).toMatchObject({
      reason: 'length',
      promptTokens: 10,
      completionTokens: 20,
      reasoningTokens: 0,
    })
    expect(finish.timeToFirstTokenMs).toBeGreaterThan(0)
    expect(finish.tokensPerSecond).toBeGreaterThan(0)
    await engine.idle
    expectAllFree(engine)
    expect(model.trimmed).toEqual([0])
  })

  it.each([1, 63, 64, 65, 127, 128, 129, 500])(
    'reads a prompt of %i ids in chunks and whole alike',
    async (length) => {
      const results = []
      for (const maxTokens of [1, 7, 64, 512]) {
        const model = new FakeModel({ limits: { maxTokens } })
        const stream = new Engine(model).generate(prompt(length), { maxTokens: 5, temperature: 0 })
        results.push((await collect(stream)).ids)
        expect(model.batches.length).toBe(Math.ceil(length / maxTokens) + 4)
      }
      expect(results).toEqual(new Array(4).fill(new FakeModel().expected(prompt(length), 5)))
    },
  )

  it('stops at an end id of the defaults or of the request without yielding it', async () => {
    const next = (_: number, length: number) => (length === 14 ? 1 : length === 18 ? 7 : undefined)
    const engine = new Engine(new FakeModel({ next }), { eosTokenIds: [1] })
    const run = async (options: GenerateOptions) => {
      const { ids, finish } = await collect(
        engine.generate(prompt(10), { maxTokens: 12, ...options }),
      )
      return [finish.reason, finish.completionTokens, ids.includes(1), ids.includes(7)]
    }
    expect(await run({})).toEqual(['stop', 4, false, false])
    expect(await run({ ignoreEos: true })).toEqual(['length', 12, true, true])
    expect(await run({ ignoreEos: true, stopIds: new Set([7]) })).toEqual(['stop', 8, true, false])
  })

  it('ends with reason context when the context is full', async () => {
    const model = new FakeModel({ limits: { contextLength: 100 } })
    const engine = new Engine(model)
    const open = await collect(engine.generate(prompt(90), { temperature: 0 }))
    expect(open.ids).toEqual(model.expected(prompt(90), 10))
    expect(open.finish.reason).toBe('context')
    const capped = await collect(engine.generate(prompt(90), { maxTokens: 10 }))
    expect(capped.finish).toMatchObject({ reason: 'length', completionTokens: 10 })
    const last = await collect(engine.generate(prompt(99)))
    expect(last.finish).toMatchObject({ reason: 'context', completionTokens: 1 })
  })

  it('reports alternatives only when asked for', async () => {
    const engine = new Engine(new FakeModel())
    const some = await collect(engine.generate(prompt(3), { maxTokens: 2, topLogprobs: 3 }))
    expect(some.tokens.map((token) => token.top?.length)).toEqual([3, 3])
    expect(some.tokens[0]!.top![0]!.id).toBe(some.ids[0])
    const none = await collect(engine.generate(prompt(3), { maxTokens: 1 }))
    expect(none.tokens[0]!.top).toBeUndefined()
  })

  it('passes bias and, with penalties, the whole history', async () => {
    const engine = new Engine(new FakeModel())
    for (const logitBias of [{ 77: 100 }, new Map([[77, 100]])]) {
      const { ids } = await collect(
        engine.generate(prompt(3), { maxTokens: 2, logitBias, presencePenalty: 1 }),
      )
      expect(ids).toEqual([77, 77])
    }
  })

  it('takes temperature and end ids from the defaults, and lets the request override them', async () => {
    const model = new FakeModel()
    const engine = new Engine(model, { temperature: 0.6, topP: 0.95, topK: 0, eosTokenIds: [1] })
    await collect(engine.generate(prompt(3), { maxTokens: 1 }))
    await collect(engine.generate(prompt(3), { maxTokens: 1, temperature: 0, topP: 1 }))
    expect(
      model.batches.map((batch) => [batch.sampling[0]!.temperature, batch.sampling[0]!.topP]),
    ).toEqual([
      [0.6, 0.95],
      [0, 1],
    ])
    const greedy = new Engine(model, { doSample: false, temperature: 0.6 })
    await collect(greedy.generate(prompt(3), { maxTokens: 1 }))
    expect(model.batches.at(-1)!.sampling[0]!.temperature).toBe(0)
  })
})

describe('continuous batching', () => {
  it('starts together what was asked for together and decodes it in one batch', async () => {
    const model = new FakeModel()
    const engine = new Engine(model)
    const all = [0, 1, 2].map((salt) =>
      collect(engine.generate(prompt(8, salt), { maxTokens: 4, temperature: 0 })),
    )
    const results = await Promise.all(all)
    expect(results.map(({ ids }) => ids)).toEqual(
      [0, 1, 2].map((salt) => model.expected(prompt(8, salt), 4)),
    )
    expect(model.batches.map((batch) => batch.ids.length)).toEqual([24, 3, 3, 3])
  })

  it('gives every decoder its token first and shares the rest of the step evenly', async () => {
    const model = new FakeModel({ limits: { maxTokens: 21 }, delay: 2 })
    const engine = new Engine(model)
    const decoding = engine.generate(prompt(5), { maxTokens: 30, temperature: 0 })
    await decoding.next()
    const rest = [
      collect(decoding),
      ...[1, 2].map((salt) => collect(engine.generate(prompt(200, salt), { maxTokens: 2 }))),
    ]
    await Promise.all(rest)
    const shared = model.batches.filter(
      (batch) => batch.blocks.length === 3 && batch.ids.length === 21,
    )
    expect(shared.length).toBeGreaterThan(15)
    for (const batch of shared.slice(0, 15)) {
      const counts = [0, 1, 2].map((s) => batch.tokenSeq.filter((seq) => seq === s).length)
      expect(counts).toEqual([1, 10, 10])
    }
  })

  it('admits in order of arrival when there are more requests than slots', async () => {
    const model = new FakeModel({ limits: { maxSequences: 2 } })
    const engine = new Engine(model)
    const ends: number[] = []
    const runs = Array.from({ length: 7 }, (_, i) =>
      collect(engine.generate(prompt(5, i), { maxTokens: 4, temperature: 0 })).then(({ ids }) => {
        ends.push(i)
        expect(ids).toEqual(model.expected(prompt(5, i), 4))
      }),
    )
    await Promise.all(runs)
    expect(ends).toEqual([0, 1, 2, 3, 4, 5, 6])
  })

  it('gives the same ids for the same seed, alone and in company', async () => {
    const run = async (company: number) => {
      const engine = new Engine(new FakeModel())
      const others = Array.from({ length: company }, (_, i) =>
        collect(engine.generate(prompt(30 + i, i), { maxTokens: 40, temperature: 1 })),
      )
      const { ids } = await collect(
        engine.generate(prompt(50), { maxTokens: 40, temperature: 1, seed: 2n ** 64n - 1n }),
      )
      await Promise.all(others)
      return ids
    }
    const alone = await run(0)
    expect(await run(7)).toEqual(alone)
    expect(await run(20)).toEqual(alone)
  })

  it('tells the sampler seed and index of each id', async () => {
    const model = new FakeModel()
    const seed = 2n ** 63n + 5n
    const stream = new Engine(model).generate(prompt(9), { maxTokens: 8, temperature: 1, seed })
    expect((await collect(stream)).ids).toEqual(
      model.expected(prompt(9), 8, { temperature: 1, seed }),
    )
    expect(model.batches.map((batch) => batch.sampling[0]!.counter)).toEqual([
      0, 1, 2, 3, 4, 5, 6, 7,
    ])
  })

  it('draws a new seed for each request that names none', async () => {
    const model = new FakeModel()
    const engine = new Engine(model)
    await Promise.all([1, 2].map(() => collect(engine.generate(prompt(4), { maxTokens: 1 }))))
    const [a, b] = model.batches[0]!.sampling
    expect(a!.seed).not.toBe(b!.seed)
  })

  it('keeps two engines apart', async () => {
    const models = [new FakeModel(), new FakeModel({ vocabularySize: 700 })]
    const engines = models.map((model) => new Engine(model))
    const results = await Promise.all(
      engines.map((e) => collect(e.generate(prompt(9), { maxTokens: 9, temperature: 0 }))),
    )
    expect(results.map(({ ids }) => ids)).toEqual(
      models.map((model) => model.expected(prompt(9), 9)),
    )
  })
})

describe('KV blocks', () => {
  it('preempts the youngest when blocks run out and loses no token', async () => {
    // Eight requests grow to 3 blocks each (24), 7 exist.
    const model = new FakeModel({ limits: { blockCount: 7, contextLength: 448 } })
    const engine = new Engine(model)
    const runs = Array.from({ length: 8 }, (_, i) =>
      collect(engine.generate(prompt(40 + i, i), { maxTokens: 130, temperature: 0 })),
    )
    const results = await Promise.all(runs)
    for (const [i, { ids }] of results.entries())
      expect(ids).toEqual(model.expected(prompt(40 + i, i), 130))
    expect(engine.stats.preemptions).toBeGreaterThan(0)
    await engine.idle
    expectAllFree(engine)
  })

  it('lets the oldest of many go on with memory for a single sequence', async () => {
    const model = new FakeModel({ limits: { blockCount: 2, contextLength: 1024 } })
    const engine = new Engine(model)
    expect(engine.contextLength).toBe(128)
    const runs = [0, 1, 2, 3].map((i) =>
      collect(engine.generate(prompt(60, i), { temperature: 0 })),
    )
    for (const [i, { ids, finish }] of (await Promise.all(runs)).entries()) {
      expect(ids).toEqual(model.expected(prompt(60, i), 68))
      expect(finish.reason).toBe('context')
    }
    await expect(collect(engine.generate(prompt(128)))).rejects.toThrow(
      'ids: expected fewer than 128 ids (all 2 KV blocks; the context length is 1024), got 128',
    )
  })

  it('keeps a sampled request the same through preemptions', async () => {
    const run = async (blockCount: number) => {
      const engine = new Engine(new FakeModel({ limits: { blockCount, contextLength: 256 } }))
      const results = await Promise.all(
        [0, 1, 2, 3, 4].map((i) =>
          collect(
            engine.generate(prompt(30, i), {
              maxTokens: 150,
              temperature: 1,
              seed: i,
              frequencyPenalty: 0.5,
            }),
          ),
        ),
      )
      return { ids: results.map((result) => result.ids), preemptions: engine.stats.preemptions }
    }
    const plenty = await run(100)
    const scarce = await run(5)
    expect(plenty.preemptions).toBe(0)
    expect(scarce.preemptions).toBeGreaterThan(0)
    expect(scarce.ids).toEqual(plenty.ids)
  })
})

describe('cancelling', () => {
  it('frees blocks and slot at once by break, signal and return, in any state', async () => {
    // The first step outlasts the test, so that return() always finds it in flight.
    const delay = (step: number) => (step === 0 ? 60_000 : 1)
    const model = new FakeModel({ limits: { maxSequences: 1, maxTokens: 16 }, delay })
    const engine = new Engine(model)
    const running = engine.generate(prompt(200), {})
    const controller = new AbortController()
    const queued = engine.generate(prompt(20), { signal: controller.signal })
    const pending = running.next()
    const pendingQueued = queued.next()
    await sleep(20)
    expect(engine.stats).toMatchObject({ running: 1, waiting: 1 })
    controller.abort()
    expect(engine.stats.waiting).toBe(0)
    expect(await pendingQueued).toMatchObject({ done: true, value: { reason: 'cancelled' } })
    const returned = running.return()
    expectAllFree(engine)
    expect(await pending).toMatchObject({
      done: true,
      value: { reason: 'cancelled', completionTokens: 0 },
    })
    expect(await returned).toMatchObject({ done: true, value: { reason: 'cancelled' } })
    await engine.idle
    expect(model.aborted).toBe(1)
    for await (const _ of engine.generate(prompt(5))) break
    expectAllFree(engine)
  })

  it('lets the step in flight go on for those who still wait', async () => {
    const model = new FakeModel({ delay: 5 })
    const engine = new Engine(model)
    const other = collect(engine.generate(prompt(9, 1), { maxTokens: 10, temperature: 0 }))
    const stream = engine.generate(prompt(9, 2))
    await stream.next()
    await stream.return()
    expect((await other).ids).toEqual(model.expected(prompt(9, 1), 10))
    expect(model.aborted).toBe(0)
  })

  it('runs no step for a request whose signal was aborted before', async () => {
    const model = new FakeModel()
    const engine = new Engine(model)
    const { ids, finish } = await collect(
      engine.generate(prompt(5), { signal: AbortSignal.abort() }),
    )
    expect(ids).toEqual([])
    expect(finish).toMatchObject({ reason: 'cancelled', promptTokens: 5, completionTokens: 0 })
    const never = engine.generate(prompt(5))
    expect((await never.return()).value).toMatchObject({ reason: 'cancelled' })
    expect((await never.next()).done).toBe(true)
    await engine.idle
    expect(model.batches.length).toBe(0)
  })

  it('drops unread tokens when cancelled by signal', async () => {
    const engine = new Engine(new FakeModel())
    const controller = new AbortController()
    const stream = engine.generate(prompt(5), { signal: controller.signal, maxTokens: 500 })
    await stream.next()
    await sleep(10)
    controller.abort()
    expect(await stream.next()).toMatchObject({ done: true, value: { reason: 'cancelled' } })
  })

  it('survives 200 cancellations at random moments among 8 at once', async () => {
    const rng = random(7)
    const model = new FakeModel({
      limits: { blockCount: 40, maxTokens: 32 },
      delay: () => (rng() < 0.1 ? 1 : 0),
    })
    const engine = new Engine(model)
    let cancelled = 0
    let number = 0
    const one = async () => {
      const salt = number++
      const length = 1 + Math.floor(rng() * 150)
      const ids = prompt(length, salt)
      const limit = Math.floor(rng() * 60)
      const kind = Math.floor(rng() * 3)
      const controller = new AbortController()
      const stream = engine.generate(ids, {
        maxTokens: 80,
        temperature: 0,
        signal: controller.signal,
      })
      const got: number[] = []
      if (kind === 2) setTimeout(() => controller.abort(), rng() * 20)
      for (;;) {
        if (kind === 0 && got.length === limit) await stream.return()
        if (kind === 1 && got.length === limit) {
          const pending = stream.next()
          await stream.return()
          await pending
        }
        const next = await stream.next()
        if (next.done) {
          if (next.value.reason === 'cancelled') cancelled++
          break
        }
        got.push(next.value.id)
      }
      expect(got).toEqual(model.expected(ids, 80).slice(0, got.length))
    }
    const worker = async () => {
      while (cancelled < 200) await one()
    }
    await Promise.all(Array.from({ length: 8 }, worker))
    await engine.idle
    expect(cancelled).toBeGreaterThanOrEqual(200)
    expectAllFree(engine)
    const { ids } = await collect(engine.generate(prompt(77), { maxTokens: 9, temperature: 0 }))
    expect(ids).toEqual(model.expected(prompt(77), 9))
  })
})

describe('stats', () => {
  it('count steps, ids read and ids made, and name the requests inside', async () => {
    const engine = new Engine(
      new FakeModel({ limits: { maxTokens: 4, maxSequences: 1 }, delay: 2 }),
    )
    const first = engine.generate(prompt(10), { maxTokens: 5 })
    const second = engine.generate(prompt(3), { maxTokens: 1 })
    const pending = second.next()
    await Promise.all([first.next(), pending])
    expect(engine.stats).toMatchObject({ steps: 4, tokensPrefilled: 13, tokensGenerated: 2 })
    const [inside] = engine.stats.requests
    expect(inside).toMatchObject({
      order: 1,
      state: 'running',
      promptTokens: 10,
      completionTokens: 1,
    })
    expect(engine.stats.meanStepMs).toBeGreaterThan(0)
    await first.return()
  })
})

describe('failures', () => {
  it('fails the requests of the step with its cause and goes on with the others', async () => {
    const cause = new Error('the device is on fire')
    const failure = (_: unknown, step: number) => (step === 2 ? cause : undefined)
    const model = new FakeModel({ limits: { maxSequences: 2 }, failure })
    const engine = new Engine(model)
    const runs = [0, 1, 2].map((i) =>
      collect(engine.generate(prompt(6, i), { maxTokens: 6, temperature: 0 })),
    )
    const [a, b, c] = await Promise.allSettled(runs)
    for (const result of [a, b]) {
      expect(result).toMatchObject({
        status: 'rejected',
        reason: { code: 'ERR_HADAL_STEP', cause },
      })
      expect(((result as PromiseRejectedResult).reason as Error).message).toContain('on fire')
    }
    expect(c).toMatchObject({
      status: 'fulfilled',
      value: { ids: model.expected(prompt(6, 2), 6) },
    })
    await engine.idle
    expectAllFree(engine)
  })

  it('delivers the tokens made before the failure, then the error', async () => {
    const failure = (_: unknown, step: number) => (step === 3 ? new Error('no') : undefined)
    const stream = new Engine(new FakeModel({ failure })).generate(prompt(6))
    for (let i = 0; i < 3; i++) expect((await stream.next()).done).toBe(false)
    await expect(stream.next()).rejects.toMatchObject({ code: 'ERR_HADAL_STEP' })
  })

  it('treats an id out of the vocabulary as a failed step', async () => {
    const engine = new Engine(new FakeModel({ next: () => 512 }))
    await expect(collect(engine.generate(prompt(6)))).rejects.toThrow(
      'row 0: expected an id below 512, got 512',
    )
  })
})

describe('refused prompts', () => {
  const cases: [string, unknown, string][] = [
    ['empty', [], 'ids: expected at least one id, got none'],
    ['negative id', [1, 2, -3], 'ids[2]: expected an id from 0 to 511, got -3'],
    [
      'id past the vocabulary',
      Int32Array.of(1, 512),
      'ids[1]: expected an id from 0 to 511, got 512',
    ],
    ['fraction', [0.5], 'ids[0]: expected an id from 0 to 511, got 0.5'],
    ['text', 'hello', 'ids: expected an Int32Array or an array of ids, got "hello"'],
    ['too long', prompt(1024), 'ids: expected fewer than 1024 ids (the context length), got 1024'],
  ]
  it.each(cases)('%s', async (_, ids, message) => {
    const engine = new Engine(new FakeModel())
    const error = await collect(engine.generate(ids as Int32Array)).catch((e: EngineError) => e)
    expect(error).toMatchObject({ name: 'EngineError', code: 'ERR_HADAL_REQUEST' })
    expect((error as Error).message).toContain(message)
  })
})

describe('reasoning budget', () => {
  const reasoning = { openId: 5, closeId: 6, closeIds: Int32Array.of(8, 6, 9) }
  const run = (
    options: GenerateOptions,
    next?: (hash: number, length: number) => number | undefined,
  ) =>
    collect(
      new Engine(new FakeModel(next ? { next } : {})).generate(prompt(10), {
        temperature: 0,
        ...options,
      }),
    )

  it('forces the closing ids when it runs out, and lets the model go on after them', async () => {
    const { tokens, ids, finish } = await run({
      maxTokens: 12,
      reasoning: { ...reasoning, open: true, budget: 4 },
    })
    expect(ids.slice(4, 7)).toEqual([8, 6, 9])
    expect(tokens.map((token) => token.forced ?? false)).toEqual(ids.map((_, i) => i >= 4 && i < 7))
    expect(finish).toMatchObject({ completionTokens: 12, reasoningTokens: 4, reason: 'length' })
    const model = new FakeModel()
    expect(ids.slice(7)).toEqual(model.expected([...prompt(10), ...ids.slice(0, 7)], 5))
  })

  it('closes before the first id with a budget of 0', async () => {
    const { ids, finish } = await run({
      maxTokens: 6,
      reasoning: { ...reasoning, open: true, budget: 0 },
    })
    expect(ids.slice(0, 3)).toEqual([8, 6, 9])
    expect(finish).toMatchObject({ completionTokens: 6, reasoningTokens: 0 })
  })

  it('leaves alone a model that closes in time', async () => {
    const next = (_: number, length: number) => (length === 13 ? 6 : undefined)
    const { ids, finish, tokens } = await run(
      { maxTokens: 12, reasoning: { ...reasoning, open: true, budget: 4 } },
      next,
    )
    expect(ids[3]).toBe(6)
    expect(tokens.some((token) => token.forced)).toBe(false)
    expect(finish.reasoningTokens).toBe(3)
  })

  it('counts thinking that the model opens itself, and closes it again', async () => {
    const next = (_: number, length: number) => (length === 12 || length === 20 ? 5 : undefined)
    const { ids, finish } = await run(
      { maxTokens: 16, reasoning: { ...reasoning, open: false, budget: 3 } },
      next,
    )
    expect(ids[2]).toBe(5)
    expect(ids.slice(6, 9)).toEqual([8, 6, 9])
    expect(ids.slice(10, 14)).toEqual([5, 8, 6, 9])
    expect(finish.reasoningTokens).toBe(3)
  })

  it('never interrupts a tool call that began in the thinking', async () => {
    const next = (_: number, length: number) => (length === 12 ? 4 : undefined)
    const options = { ...reasoning, open: true, budget: 3, exitIds: [4] }
    const { tokens, finish } = await run({ maxTokens: 9, reasoning: options }, next)
    expect(tokens.some((token) => token.forced)).toBe(false)
    expect(finish.reasoningTokens).toBe(2)
  })

  it('counts without a budget and never forces', async () => {
    const { finish, tokens } = await run({ maxTokens: 9, reasoning: { ...reasoning, open: true } })
    expect(finish.reasoningTokens).toBe(9)
    expect(tokens.some((token) => token.forced)).toBe(false)
  })

  it('cuts the closing ids at maxTokens', async () => {
    const { ids, finish } = await run({
      maxTokens: 3,
      reasoning: { ...reasoning, open: true, budget: 1 },
    })
    expect(ids.slice(1)).toEqual([8, 6])
    expect(finish).toMatchObject({ reason: 'length', completionTokens: 3, reasoningTokens: 1 })
  })
})

describe('forward', () => {
  it('runs in turn with the steps and gives its blocks back', async () => {
    const model = new FakeModel({ limits: { blockCount: 6, contextLength: 384 } })
    const engine = new Engine(model)
    const runs = [0, 1, 2].map((i) =>
      collect(engine.generate(prompt(60, i), { maxTokens: 20, temperature: 0 })),
    )
    const forwards = [0, 1, 2].map((i) => engine.forward(prompt(300, i), { lastLogits: 1 }))
    for (const [i, { logits }] of (await Promise.all(forwards)).entries()) {
      expect(logits.length).toBe(512)
      expect(logits.indexOf(1)).toBe(model.expected(prompt(300, i), 1)[0])
    }
    for (const [i, { ids }] of (await Promise.all(runs)).entries()) {
      expect(ids).toEqual(model.expected(prompt(60, i), 20))
    }
    await engine.idle
    expectAllFree(engine)
  })

  it('refuses wrong ids and can be withdrawn from the queue', async () => {
    const engine = new Engine(new FakeModel({ delay: 10 }))
    await expect(engine.forward([])).rejects.toMatchObject({ code: 'ERR_HADAL_REQUEST' })
    await expect(engine.forward(prompt(1025))).rejects.toThrow(
      'expected at most 1024 ids (the context length), got 1025',
    )
    const controller = new AbortController()
    const first = engine.forward(prompt(5))
    const second = engine.forward(prompt(5), { signal: controller.signal })
    controller.abort(new Error('changed my mind'))
    await expect(second).rejects.toThrow('changed my mind')
    await first
    await engine.idle
    expectAllFree(engine)
  })
})

describe('forward in flight', () => {
  it('stops by its signal, and reports failures with their cause', async () => {
    const engine = new Engine(new FakeModel({ delay: 10_000 }))
    const controller = new AbortController()
    const call = engine.forward(prompt(5), { signal: controller.signal })
    setTimeout(() => controller.abort(new Error('enough')), 20)
    await expect(call).rejects.toThrow('enough')
    await engine.idle
    expectAllFree(engine)
    const model = new FakeModel()
    const other = new Engine(model)
    await model.dispose()
    await expect(other.forward(prompt(5))).rejects.toMatchObject({
      code: 'ERR_HADAL_STEP',
      cause: { message: 'FakeModel: the model was disposed of' },
    })
    expectAllFree(other)
  })
})

describe('disposal', () => {
  it('cancels everything in the middle of a step and waits for it', async () => {
    const model = new FakeModel({ limits: { maxSequences: 2 }, delay: 10_000 })
    const engine = new Engine(model)
    const runs = [0, 1, 2].map((i) => collect(engine.generate(prompt(6, i))))
    await sleep(20)
    const forward = engine.forward(prompt(5)).catch((error: EngineError) => error.code)
    await engine.dispose()
    expect((await Promise.all(runs)).map(({ finish }) => finish.reason)).toEqual(
      new Array(3).fill('cancelled'),
    )
    expect(await forward).toBe('ERR_HADAL_DISPOSED')
    expectAllFree(engine)
    await model.dispose()
    await expect(collect(engine.generate(prompt(5)))).rejects.toMatchObject({
      code: 'ERR_HADAL_DISPOSED',
    })
    await expect(engine.forward(prompt(5))).rejects.toMatchObject({ code: 'ERR_HADAL_DISPOSED' })
    await engine[Symbol.asyncDispose]()
  })
})
