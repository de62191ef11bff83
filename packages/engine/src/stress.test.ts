// Crowds: 1,000 mixed requests at 64 at once with random ends, then calm. Nothing lost, nothing mixed
// up, every block back, memory flat, the event loop free.
import { setTimeout as sleep } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { bestOf, FakeModel } from '@hadal/testing'
import { describe, expect, it } from 'vitest'
import { Engine } from './engine.ts'
import type { Finish } from './request.ts'

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

const limits = {
  ...{ maxTokens: 256, maxSequences: 32, maxRows: 32 },
  ...{ contextLength: 1024, blockCount: 160 },
}
/** Four beginnings that requests have in common, as system prompts are. */
const common = [0, 1, 2, 3].map((k) =>
  Int32Array.from({ length: 100 + k * 70 }, (_, i) => 10 + ((i * 37 + k * 131) % 500)),
)

type Kind = 'whole' | 'return' | 'break' | 'abort' | 'aborted' | 'end thinking'
const kinds: Kind[] = [
  'whole',
  'whole',
  'whole',
  'return',
  'break',
  'abort',
  'aborted',
  'end thinking',
]
const reasoning = { open: true, openId: 5, closeId: 6, closeIds: Int32Array.of(8, 6) }

/** One request of a random kind; throws unless it gets its own ids and its own end. */
async function mixed(model: FakeModel, engine: Engine, random: () => number): Promise<Kind> {
  const head = common[Math.floor(random() * common.length)]!
  const tail = Array.from(
    { length: Math.floor(random() ** 3 * 400) },
    () => 10 + Math.floor(random() * 500),
  )
  const prompt = [...head, ...tail]
  const kind = kinds[Math.floor(random() * kinds.length)]!
  const seed = Math.floor(random() * 1e9)
  const temperature = random() < 0.5 ? 0 : 1
  const maxTokens = 1 + Math.floor(random() * 60)
  const stopAt = Math.floor(random() * 40)
  const controller = new AbortController()
  const delay = random() * 40
  if (kind === 'aborted') controller.abort()
  if (kind === 'abort' || kind === 'end thinking') setTimeout(() => controller.abort(), delay)
  const ending = kind === 'end thinking'
  const stream = engine.generate(prompt, {
    ...{ temperature, seed, maxTokens, priority: Math.floor(random() * 3) },
    ...(random() < 0.2 && { presencePenalty: 0.5 }),
    ...(random() < 0.2 && { cacheSalt: 'other' }),
    ...(ending
      ? { reasoning: { ...reasoning, endSignal: controller.signal } }
      : { signal: controller.signal }),
  })
  const got: number[] = []
  let finish: Finish | undefined
  while (!finish) {
    if (got.length === stopAt && (kind === 'return' || kind === 'break')) await stream.return()
    const next = await stream.next()
    if (next.done) finish = next.value
    else got.push(next.value.id)
  }
  const wanted = model.expected(prompt, 60, { temperature, seed: BigInt(seed) })
  const forced = ending ? got.indexOf(8) : -1
  const own = forced < 0 ? got : got.slice(0, forced)
  if (own.some((id, i) => id !== wanted[i])) throw new Error(`${kind}: ids of somebody else`)
  const whole = finish.reason === 'length' && got.length === maxTokens
  if (!whole && finish.reason !== 'cancelled') throw new Error(`${kind}: ${finish.reason}`)
  if (!whole && (kind === 'whole' || ending)) throw new Error(`${kind}: lost ids`)
  return kind
}

/**
 * How long the event loop was kept from a timer of 1 ms: by the clock, and by this process's own
 * work, which other processes on the machine do not lengthen.
 */
function watchLag(): () => { readonly wall: number; readonly own: number } {
  const [walls, owns]: [number[], number[]] = [[], []]
  const cpu = () => {
    const { user, system } = process.cpuUsage()
    return (user + system) / 1000
  }
  let [wall, own] = [performance.now(), cpu()]
  const timer = setInterval(() => {
    const [now, used] = [performance.now(), cpu()]
    walls.push(now - wall - 1)
    owns.push(Math.min(now - wall, used - own) - 1)
    wall = now
    own = used
  }, 1)
  const p99 = (list: number[]) => list.sort((a, b) => a - b)[Math.floor(list.length * 0.99)] ?? 0
  return () => {
    clearInterval(timer)
    return { wall: p99(walls), own: p99(owns) }
  }
}

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void

function expectCalm(engine: Engine): void {
  const { blocksFree, blocksTotal, running, waiting } = engine.stats
  expect({ blocksFree, running, waiting }).toEqual({
    blocksFree: blocksTotal,
    running: 0,
    waiting: 0,
  })
}

describe('a crowd', () => {
  it('of 1,000 mixed requests, 64 at once: none lost, none mixed up, all blocks back', async () => {
    const random = generator(1)
    const model = new FakeModel({ limits, keepBatches: false })
    const engine = new Engine(model)
    const counts = new Map<Kind, number>()
    let left = 1000
    const worker = async () => {
      while (left-- > 0) {
        const kind = await mixed(model, engine, random)
        counts.set(kind, (counts.get(kind) ?? 0) + 1)
      }
    }
    const lag = watchLag()
    await Promise.all(Array.from({ length: 64 }, worker))
    const { wall, own } = lag()
    await engine.idle
    expect([...counts.values()].reduce((a, b) => a + b)).toBe(1000)
    expectCalm(engine)
    const { prefixCache, preemptions, steps } = engine.stats
    console.log(
      `1,000 mixed requests: event-loop lag p99 ${own.toFixed(1)} ms of its own, ${wall.toFixed(1)} ms by the clock; ${steps} steps, ${preemptions} preemptions, ${prefixCache.hitTokens} of ${prefixCache.queryTokens} prompt ids found, ${prefixCache.evictions} blocks evicted`,
    )
    expect(own).toBeLessThanOrEqual(20)
    expect(preemptions).toBeGreaterThan(0)
    expect(prefixCache.evictions).toBeGreaterThan(0)
    expect(prefixCache.hitTokens / prefixCache.queryTokens).toBeGreaterThan(0.3)
  })

  it('leaves memory flat', async () => {
    const random = generator(2)
    const model = new FakeModel({ limits, keepBatches: false })
    const engine = new Engine(model)
    const round = async (requests: number) => {
      let left = requests
      const worker = async () => {
        while (left-- > 0) await mixed(model, engine, random)
      }
      await Promise.all(Array.from({ length: 64 }, worker))
      await engine.idle
      await sleep(60)
      collectGarbage()
      return process.memoryUsage()
    }
    await round(500)
    const before = await round(500)
    for (let i = 0; i < 3; i++) await round(500)
    const after = await round(500)
    const mb = (bytes: number) => Math.round(bytes / 1e5) / 10
    console.log(
      `2,000 requests later: RSS ${mb(before.rss)} → ${mb(after.rss)} MB, heap ${mb(before.heapUsed)} → ${mb(after.heapUsed)} MB`,
    )
    expect(mb(after.heapUsed - before.heapUsed)).toBeLessThan(20)
    expect(mb(after.rss - before.rss)).toBeLessThan(60)
    expectCalm(engine)
  })

  it('of 200 cancelled in mid-flight leaves an engine that answers within 2 s', async () => {
    // The best of three: the claim is of the engine, not of what else the machine does.
    const ms = await bestOf(3, 2000, cancel200)
    console.log(`an answer of 20 ids after 200 cancels: ${ms.toFixed(0)} ms`)
    expect(ms).toBeLessThan(2000)
  })
})

async function cancel200(): Promise<number> {
  const model = new FakeModel({ limits, delay: 5, keepBatches: false })
  const engine = new Engine(model)
  const streams = Array.from({ length: 200 }, (_, i) =>
    engine.generate([...common[i % 4]!, 10 + i], { maxTokens: 500, temperature: 0 }),
  )
  const pending = streams.map((stream) => stream.next())
  await sleep(150)
  const ends = streams.map((stream) => stream.return())
  expectCalm(engine)
  const began = performance.now()
  const prompt = [...common[0]!, 499]
  const ids: number[] = []
  for await (const { id } of engine.generate(prompt, { maxTokens: 20, temperature: 0 }))
    ids.push(id)
  const ms = performance.now() - began
  expect(ids).toEqual(model.expected(prompt, 20))
  await Promise.all([...pending, ...ends])
  return ms
}
