// The scheduler without loop and model: who is admitted, who gives way, in which order.
import type { ModelLimits, Sampled } from '@hadal/model'
import { describe, expect, it } from 'vitest'
import { type Finish, Request, type Token } from './request.ts'
import { type GenerateOptions, resolveSampling } from './sampling.ts'
import { Scheduler, type SchedulerOptions, type Step } from './scheduler.ts'

const limits: ModelLimits = {
  ...{ maxTokens: 256, maxSequences: 8, maxRows: 8 },
  ...{ contextLength: 512, blockSize: 64, blockCount: 8 },
}

function setUp(changes: Partial<ModelLimits> = {}, options: SchedulerOptions = {}) {
  const scheduler = new Scheduler({ ...limits, ...changes }, options)
  let order = 0
  const submit = (length: number, options: GenerateOptions = {}, prompt?: Int32Array) => {
    const tokens: Token[] = []
    const ended: { finish?: Finish; error?: unknown } = {}
    const sink = {
      push: (token: Token) => void tokens.push(token),
      close: (finish: Finish) => {
        ended.finish = finish
      },
      fail: (error: unknown) => {
        ended.error = error
      },
    }
    const sampling = resolveSampling({ temperature: 0, ...options }, {}, 512)
    // Ids of its own, so that no two requests share blocks unless a test wants it.
    const ids = prompt ?? new Int32Array(length).fill(20 + order)
    const request = new Request(order++, ids, sampling, scheduler.blocks.table(), 512, sink)
    scheduler.submit(request)
    return { request, tokens, ended }
  }
  return { scheduler, submit }
}

function sampledFor(step: Step): Sampled {
  const N = step.batch.rows.length
  const topIds = new Int32Array(N * 20).fill(-1)
  return {
    ids: new Int32Array(N).fill(9),
    logprobs: new Float32Array(N),
    topIds,
    topLogprobs: new Float32Array(N * 20),
  }
}

function tick(scheduler: Scheduler): Step {
  const step = scheduler.next()!
  scheduler.commit(step, sampledFor(step))
  return step
}

const orders = (requests: readonly Request[]) => requests.map((request) => request.order)

describe('admission', () => {
  it('reserves what the prompt needs and leaves a block for every request that runs', () => {
    for (const [blockCount, running] of [
      [3, [0]],
      [4, [0, 1]],
    ] as const) {
      const { scheduler, submit } = setUp({ blockCount })
      submit(10)
      submit(100)
      tick(scheduler)
      expect(orders(scheduler.running)).toEqual(running)
    }
  })

  it('lets nobody pass the first in line', () => {
    const { scheduler, submit } = setUp({ blockCount: 4 })
    submit(100)
    submit(200)
    submit(1)
    tick(scheduler)
    expect(orders(scheduler.running)).toEqual([0])
    expect(orders(scheduler.waiting)).toEqual([1, 2])
  })

  it('counts slots by sequences, rows and tokens, whichever is least', () => {
    for (const change of [{ maxSequences: 2 }, { maxRows: 2 }, { maxTokens: 2 }]) {
      const { scheduler, submit } = setUp(change)
      for (let i = 0; i < 4; i++) submit(1)
      tick(scheduler)
      expect(orders(scheduler.running)).toEqual([0, 1])
    }
  })
})

describe('preemption', () => {
  it('takes from the youngest, who goes back in front of those who came later', () => {
    const { scheduler, submit } = setUp({ blockCount: 4, maxSequences: 2 })
    submit(63)
    submit(127)
    submit(1)
    tick(scheduler)
    expect(orders(scheduler.running)).toEqual([0, 1])
    expect(scheduler.blocks.free).toBe(1)
    // Both cross into a new block: request 0 takes the last one, 1 gives way.
    tick(scheduler)
    tick(scheduler)
    expect(orders(scheduler.running)).toEqual([0])
    expect(orders(scheduler.waiting)).toEqual([1, 2])
    expect(scheduler.blocks.free).toBe(2)
  })

  it('keeps ids and computes them again in one go', () => {
    const { scheduler, submit } = setUp()
    const { request, tokens } = submit(10)
    for (let i = 0; i < 5; i++) tick(scheduler)
    expect([request.computed, request.length, tokens.length]).toEqual([14, 15, 5])
    scheduler.preemptLast()
    expect([request.state, request.computed, request.length]).toEqual(['waiting', 0, 15])
    expect(tick(scheduler).batch.ids.length).toBe(15)
    expect([tokens.length, request.rowSampling().counter]).toEqual([6, 6])
  })
})

describe('a step', () => {
  it('wants a row only where the last known id is reached', () => {
    const { scheduler, submit } = setUp({ maxTokens: 8 })
    submit(3)
    submit(11)
    const first = tick(scheduler)
    expect(first.parts.map(({ count, row }) => [count, row])).toEqual([
      [3, 0],
      [5, -1],
    ])
    expect([...first.batch.rows]).toEqual([2])
    const second = tick(scheduler)
    expect(second.parts.map(({ count, row }) => [count, row])).toEqual([
      [1, 0],
      [6, 1],
    ])
    expect([...second.batch.positions]).toEqual([3, 5, 6, 7, 8, 9, 10])
    expect([...second.batch.tokenSeq]).toEqual([0, 1, 1, 1, 1, 1, 1])
    expect([...second.batch.slots]).toEqual([3, 69, 70, 71, 72, 73, 74])
  })

  it('passes over a request that was cancelled while it ran', () => {
    const { scheduler, submit } = setUp()
    const { request, tokens, ended } = submit(3)
    const step = scheduler.next()!
    scheduler.finish(request, 'cancelled')
    scheduler.commit(step, sampledFor(step))
    expect([tokens.length, request.length, ended.finish?.reason]).toEqual([0, 3, 'cancelled'])
    expect(scheduler.blocks.free).toBe(8)
    expect(scheduler.next()).toBeUndefined()
  })

  it('ends a request once, whatever comes after', () => {
    const { scheduler, submit } = setUp()
    const { request, ended } = submit(3, { maxTokens: 1 })
    tick(scheduler)
    scheduler.finish(request, 'cancelled')
    scheduler.fail(request, new Error('late'))
    expect(ended).toMatchObject({ finish: { reason: 'length' } })
    expect(ended.error).toBeUndefined()
    expect(scheduler.blocks.free).toBe(8)
  })
})

describe('priority', () => {
  it('goes before arrival, and preempts what is less important when slots or blocks run out', () => {
    for (const change of [{ maxSequences: 2 }, { blockCount: 5 }]) {
      const { scheduler, submit } = setUp(change)
      submit(100)
      submit(60)
      tick(scheduler)
      submit(10, { priority: 1 })
      submit(10, { priority: 2 })
      expect(orders(scheduler.waiting)).toEqual([3, 2])
      tick(scheduler)
      expect(orders(scheduler.running).slice(0, 2)).toEqual([3, 2])
      expect(orders(scheduler.waiting)).toContain(1)
      expect(scheduler.preemptions).toBeGreaterThan(0)
    }
  })

  it('does not preempt its equals, nor for what would not fit all the same', () => {
    const { scheduler, submit } = setUp({ maxSequences: 2 })
    submit(10, { priority: 1 })
    submit(10)
    tick(scheduler)
    submit(10)
    submit(300, { priority: 1 })
    tick(scheduler)
    expect([orders(scheduler.running), scheduler.preemptions]).toEqual([[0, 3], 1])
    const other = setUp({ blockCount: 8 })
    other.submit(300, { priority: 5 })
    other.submit(10)
    tick(other.scheduler)
    other.submit(400, { priority: 3 })
    tick(other.scheduler)
    expect([orders(other.scheduler.running), other.scheduler.preemptions]).toEqual([[0, 1], 0])
  })

  it('is worth so much waiting and no more', () => {
    const { scheduler, submit } = setUp({ maxSequences: 1 }, { agingMs: 1e-9 })
    submit(10)
    submit(10)
    submit(10, { priority: 1000 })
    expect(orders(scheduler.waiting)).toEqual([0, 1, 2])
  })
})

describe('sharing a step', () => {
  const counts = (step: Step) => step.parts.map(({ request, count }) => [request.order, count])

  it('gives half to the first in line, the rest to who has least to read', () => {
    const { scheduler, submit } = setUp({ maxTokens: 64, blockCount: 64 })
    submit(400)
    submit(300)
    submit(20)
    expect(counts(tick(scheduler))).toEqual([
      [0, 32],
      [1, 12],
      [2, 20],
    ])
    expect(counts(tick(scheduler))).toEqual([
      [0, 32],
      [1, 31],
      [2, 1],
    ])
  })

  it('leaves those who wait for a prefix outside, without blocks, and lets others pass', () => {
    const { scheduler, submit } = setUp({ maxTokens: 40, blockCount: 64 })
    const ids = new Int32Array(150).fill(5)
    submit(0, {}, ids)
    submit(0, {}, ids.slice(0, 140))
    submit(10)
    expect(counts(tick(scheduler))).toEqual([
      [0, 30],
      [2, 10],
    ])
    expect([orders(scheduler.waiting), scheduler.blocks.free]).toEqual([[1], 64 - 3 - 1])
    // It has begun all the same, and takes no place in the queue.
    expect([scheduler.waiting[0]!.startedAt > 0, scheduler.queued]).toEqual([true, 0])
    for (let i = 0; i < 4; i++) tick(scheduler)
    expect(orders(scheduler.running)).toEqual([0, 1, 2])
    expect(scheduler.running.map((request) => request.cached)).toEqual([0, 128, 0])
  })

  it('reads a block once for all who run and need it, in the place of the first of them', () => {
    const { scheduler, submit } = setUp({ maxTokens: 40, blockCount: 64 })
    const ids = new Int32Array(150).fill(5)
    submit(0, {}, ids)
    expect(counts(tick(scheduler))).toEqual([[0, 40]])
    submit(400)
    submit(0, { priority: 1 }, ids)
    expect(counts(tick(scheduler))).toEqual([
      [0, 20],
      [1, 20],
    ])
    expect(orders(scheduler.running)).toEqual([2, 0, 1])
    tick(scheduler)
    expect(scheduler.running.map((request) => request.computed)).toEqual([0, 80, 40])
    // The one that got furthest reads; it has half of the step, as the first in line would.
    expect(counts(tick(scheduler))).toEqual([
      [0, 20],
      [1, 20],
    ])
    expect(scheduler.running.map((request) => request.computed)).toEqual([64, 100, 60])
    for (let i = 0; i < 3; i++) tick(scheduler)
    expect(scheduler.running[0]).toMatchObject({ order: 2, cached: 128 })
  })

  it('goes on without the one that read for the others', () => {
    const { scheduler, submit } = setUp({ maxTokens: 40, blockCount: 64 })
    const ids = new Int32Array(150).fill(5)
    const { request: leader } = submit(0, {}, ids)
    const { request: follower } = submit(0, {}, ids)
    for (let i = 0; i < 3; i++) tick(scheduler)
    scheduler.finish(leader, 'cancelled')
    expect(counts(tick(scheduler))).toEqual([[1, 40]])
    expect(follower.cached).toBe(64)
    for (let i = 0; i < 5; i++) tick(scheduler)
    expect(follower.outputLength).toBeGreaterThan(0)
  })

  it('reads only the last id of a prompt that is there whole, and writes nothing', () => {
    const { scheduler, submit } = setUp()
    const ids = new Int32Array(128).fill(5)
    const { request } = submit(0, { maxTokens: 1 }, ids)
    tick(scheduler)
    expect(request.state).toBe('done')
    const { request: again } = submit(0, {}, ids)
    const { batch } = tick(scheduler)
    expect([[...batch.positions], [...batch.slots], again.cached]).toEqual([[127], [-1], 127])
    expect([again.table.shared, again.computed, again.length]).toEqual([2, 128, 129])
    expect([...tick(scheduler).batch.slots]).toEqual([2 * 64])
  })
})
