// Constraints through the engine, over a model without arithmetic that obeys masks: where they begin, that they
// survive preemption, and that a broken one takes nobody else with it.
import { FakeModel } from '@hadal/testing'
import { describe, expect, it } from 'vitest'
import type { Constraint, ConstraintState } from './constraint.ts'
import { Engine, type TokenStream } from './engine.ts'
import type { Finish } from './request.ts'
import type { GenerateOptions } from './sampling.ts'

const [openId, closeId, endId, callsId] = [5, 6, 7, 8]
const prompt = (length: number, salt = 0): Int32Array =>
  Int32Array.from({ length }, (_, i) => 10 + ((i * 37 + salt * 101) % 500))

async function collect(stream: TokenStream): Promise<{ ids: number[]; finish: Finish }> {
  const ids: number[] = []
  for (;;) {
    const next = await stream.next()
    if (next.done) return { ids, finish: next.value }
    ids.push(next.value.id)
  }
}

const only = (words: Uint32Array, ids: readonly number[]): number => {
  words.fill(0)
  for (const id of ids) words[id >> 5] = (words[id >> 5] as number) | (1 << (id & 31))
  return ids.length
}

/** These ids in this order, then the end; -1 in front where newlines may come after the thinking. */
class Script implements ConstraintState {
  #at = 0
  readonly #ids: readonly number[]
  constructor(ids: readonly number[]) {
    this.#ids = ids
  }
  get done(): boolean {
    return this.#at === this.#ids.length
  }
  mask(words: Uint32Array): number {
    return only(words, this.done ? [endId] : [this.#ids[this.#at] as number])
  }
  accept(id: number): boolean {
    if (this.#ids[this.#at] !== id) return false
    this.#at++
    return true
  }
}

const script = (ids: readonly number[], starts: boolean[] = []): Constraint => ({
  start({ afterReasoning }) {
    starts.push(afterReasoning)
    return new Script(ids)
  },
})
const answer = [100, 101, 102, 103]
const reasoning = { open: true, openId, closeId, closeIds: Int32Array.of(closeId) }
const options: GenerateOptions = { temperature: 0, stopIds: [endId] }

describe('a constraint', () => {
  it('is obeyed, and the answer ends when it is complete', async () => {
    const engine = new Engine(new FakeModel())
    const { ids, finish } = await collect(
      engine.generate(prompt(9), { ...options, constraint: script(answer) }),
    )
    expect(ids).toEqual(answer)
    expect(finish).toMatchObject({ reason: 'stop', completionTokens: 4 })
  })

  it('counts as cut when the tokens run out first', async () => {
    const engine = new Engine(new FakeModel())
    const run = { ...options, constraint: script(answer), maxTokens: 3 }
    const { ids, finish } = await collect(engine.generate(prompt(9), run))
    expect(ids).toEqual(answer.slice(0, 3))
    expect(finish.reason).toBe('length')
    const whole = await collect(engine.generate(prompt(9), { ...run, maxTokens: 4 }))
    expect(whole.finish.reason).toBe('stop')
  })

  it('begins when the thinking closes; until then the end may not come', async () => {
    const starts: boolean[] = []
    // The model wants to end at once, then to call a tool, then thinks 20 ids and closes.
    const wants = (length: number) =>
      [endId, callsId][length - 9] ?? (length < 29 ? 50 + length : closeId)
    const model = new FakeModel({ next: (_, length) => (length > 29 ? endId : wants(length)) })
    const engine = new Engine(model)
    const { ids, finish } = await collect(
      engine.generate(prompt(9), {
        ...options,
        reasoning: { ...reasoning, exitIds: [callsId] },
        constraint: script(answer, starts),
      }),
    )
    expect(ids[0]).not.toBe(endId)
    expect(ids[1]).not.toBe(callsId)
    expect(ids.slice(-5)).toEqual([closeId, ...answer])
    expect(finish).toMatchObject({ reason: 'stop', reasoningTokens: 20 })
    expect(starts.at(-1)).toBe(true)
  })

  it('begins when a budget closes the thinking', async () => {
    const engine = new Engine(new FakeModel())
    for (const budget of [0, 7]) {
      const run = { ...options, reasoning: { ...reasoning, budget }, constraint: script(answer) }
      const { ids } = await collect(engine.generate(prompt(9), run))
      expect(ids.slice(-5)).toEqual([closeId, ...answer])
      expect(ids).toHaveLength(budget + 5)
    }
  })

  it('lets the model open its thinking with its first id, and no later', async () => {
    const next = (_: number, length: number) => (length < 12 ? openId : closeId)
    const engine = new Engine(new FakeModel({ next }))
    const run = { ...options, reasoning: { ...reasoning, open: false }, constraint: script(answer) }
    const { ids } = await collect(engine.generate(prompt(11), run))
    expect(ids).toEqual([openId, closeId, ...answer])
    const late = await collect(engine.generate(prompt(12), run))
    expect(late.ids).toEqual(answer)
  })

  it('lets a call end the thinking where it may begin with one', async () => {
    const calls = [callsId, ...answer]
    const engine = new Engine(new FakeModel({ next: () => callsId }))
    const run = {
      ...options,
      reasoning: { ...reasoning, exitIds: [callsId] },
      constraint: script(calls),
    }
    expect((await collect(engine.generate(prompt(9), run))).ids).toEqual(calls)
  })

  it('keeps its place through preemptions, in company', async () => {
    const model = new FakeModel({ limits: { blockCount: 7, contextLength: 448 } })
    const engine = new Engine(model)
    const long = (salt: number) =>
      Array.from({ length: 130 }, (_, i) => 20 + ((i * 7 + salt) % 400))
    const runs = Array.from({ length: 8 }, (_, i) =>
      collect(
        engine.generate(
          prompt(40 + i, i),
          i % 2 === 0
            ? { ...options, constraint: script(long(i)) }
            : { ...options, maxTokens: 130 },
        ),
      ),
    )
    for (const [i, { ids }] of (await Promise.all(runs)).entries())
      expect(ids).toEqual(i % 2 === 0 ? long(i) : model.expected(prompt(40 + i, i), 130))
    expect(engine.stats.preemptions).toBeGreaterThan(0)
  })
})

describe('a broken constraint', () => {
  const broken: readonly [string, Constraint, RegExp][] = [
    [
      'leaves nothing',
      { start: () => ({ done: false, mask: (w) => only(w, []), accept: () => true }) },
      /got none/,
    ],
    [
      'lies about how many',
      { start: () => ({ done: false, mask: (w) => only(w, []) + 1, accept: () => true }) },
      /got none/,
    ],
    [
      'refuses what it allowed',
      { start: () => ({ done: false, mask: (w) => only(w, [20]), accept: () => false }) },
      /got 20/,
    ],
    [
      'throws',
      {
        start: () => ({
          done: false,
          mask: (w) => only(w, [20]),
          accept: () => {
            throw new Error('too many readings')
          },
        }),
      },
      /too many readings/,
    ],
  ]
  it.each(broken)('%s: its request alone ends, by name', async (_, constraint, message) => {
    const model = new FakeModel()
    const engine = new Engine(model)
    const [bad, good] = await Promise.allSettled([
      collect(engine.generate(prompt(9), { ...options, constraint })),
      collect(engine.generate(prompt(9, 1), { ...options, maxTokens: 30 })),
    ])
    expect(bad).toMatchObject({ status: 'rejected', reason: { code: 'ERR_HADAL_CONSTRAINT' } })
    expect((bad as PromiseRejectedResult).reason.message).toMatch(message)
    expect(good).toMatchObject({
      status: 'fulfilled',
      value: { ids: model.expected(prompt(9, 1), 30) },
    })
    await engine.idle
    expect(engine.stats).toMatchObject({ running: 0, waiting: 0 })
    expect(engine.stats.blocksFree).toBe(engine.stats.blocksTotal)
  })

  it('that cannot start, or is none, is refused before anything runs', async () => {
    const engine = new Engine(new FakeModel())
    const constraint = {
      start: () => {
        throw new Error('wrong schema')
      },
    } as Constraint
    await expect(
      collect(engine.generate(prompt(9), { ...options, reasoning, constraint })),
    ).rejects.toThrow('wrong schema')
    await expect(
      collect(engine.generate(prompt(9), { constraint: {} as Constraint })),
    ).rejects.toThrow('option constraint: expected an object with start()')
    expect(engine.stats).toMatchObject({ running: 0, waiting: 0, steps: 0 })
  })
})
