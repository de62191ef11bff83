// Random limits, prompts, lengths and ends on the fake model, which knows what each request alone would give:
// whatever is preempted, cancelled or computed beside it, the ids, their number and the reason must be those.
import { FakeModel } from '@hadal/testing'
import { expect, it } from 'vitest'
import { Engine } from './engine.ts'
import type { Finish } from './request.ts'

/** mulberry32 */
function generator(seed: number): (n: number) => number {
  let state = seed >>> 0
  return (n) => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) % n
  }
}

const eos = 3

/** What the request alone gives within the context: ids without the end id, and why it ends. */
function expected(model: FakeModel, prompt: number[], maxTokens: number, context: number) {
  const ids = model.expected(prompt, maxTokens)
  const room = context - prompt.length
  const end = ids.indexOf(eos)
  const count = Math.min(end < 0 ? maxTokens : end, room)
  const reason = end >= 0 && end === count && end < room ? 'stop' : undefined
  return {
    ids: ids.slice(0, count),
    reason: reason ?? (count === maxTokens ? 'length' : 'context'),
  }
}

async function oneRequest(engine: Engine, model: FakeModel, r: (n: number) => number) {
  const prompt = Array.from({ length: 1 + r(engine.contextLength - 1) }, () => r(512))
  const maxTokens = 1 + r(80)
  const kind = r(10)
  await new Promise((resolve) => setTimeout(resolve, r(20)))
  if (kind === 0) {
    const { logits } = await engine.forward(prompt, { lastLogits: 1 })
    expect(logits.indexOf(1)).toBe(model.expected(prompt, 1)[0])
    return undefined
  }
  const abort = new AbortController()
  const leaveAt = kind < 4 ? r(10) : Number.POSITIVE_INFINITY
  if (kind === 2) setTimeout(() => abort.abort(), r(15))
  const options = { temperature: 0, maxTokens, signal: abort.signal }
  const stream = engine.generate(prompt, options)
  const ids: number[] = []
  let next = await stream.next()
  for (; !next.done; next = await stream.next()) {
    ids.push(next.value.id)
    if (ids.length <= leaveAt) continue
    if (kind === 1) abort.abort()
    else {
      next = await stream.return()
      break
    }
  }
  const finish = next.value as Finish
  const whole = expected(model, prompt, maxTokens, engine.contextLength)
  expect(ids).toEqual(whole.ids.slice(0, ids.length))
  if (finish.reason === 'cancelled') return finish
  expect(finish).toMatchObject({ reason: whole.reason, completionTokens: whole.ids.length })
  expect(ids).toHaveLength(whole.ids.length)
  return finish
}

it('a request gives what it gives alone, through 25 random engines', {
  timeout: 120_000,
}, async () => {
  let [preemptions, whole, cancelled] = [0, 0, 0]
  for (let seed = 0; seed < 25; seed++) {
    const r = generator(seed)
    const blocks = 1 + r(6)
    const model = new FakeModel({
      limits: {
        ...{ maxTokens: 1 + r(100), maxSequences: 1 + r(9), maxRows: 1 + r(9) },
        ...{ contextLength: 64 * blocks - r(60), blockCount: blocks + r(8) },
      },
      delay: r(3) === 0 ? 1 : 0,
    })
    const engine = new Engine(model, { eosTokenIds: [eos] })
    const requests = Array.from({ length: 2 + r(20) }, () => oneRequest(engine, model, r))
    for (const finish of await Promise.all(requests)) {
      if (finish?.reason === 'cancelled') cancelled++
      else if (finish) whole++
    }
    await engine.idle
    const { running, waiting, blocksFree, blocksTotal } = engine.stats
    expect({ running, waiting, blocksFree }).toEqual({
      ...{ running: 0, waiting: 0, blocksFree: blocksTotal },
    })
    preemptions += engine.stats.preemptions
    await engine.dispose()
  }
  process.stdout.write(`${whole} whole, ${cancelled} cancelled, ${preemptions} preemptions\n`)
  expect(whole).toBeGreaterThan(100)
  expect(cancelled).toBeGreaterThan(30)
})
