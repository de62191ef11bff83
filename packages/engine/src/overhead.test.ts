// What a step costs in JavaScript: 32 sequences over a model that answers at once.
import type { Batch, Model, Sampled } from '@hadal/model'
import { FakeModel } from '@hadal/testing'
import { expect, it } from 'vitest'
import { Engine } from './engine.ts'
import type { GenerateOptions } from './sampling.ts'

class Instant extends FakeModel implements Model {
  override async step({ rows }: Batch): Promise<Sampled> {
    const N = rows.length
    return {
      ids: new Int32Array(N).fill(9),
      logprobs: new Float32Array(N),
      topIds: new Int32Array(N * 20).fill(-1),
      topLogprobs: new Float32Array(N * 20),
    }
  }
}

const limits = {
  ...{ maxTokens: 256, maxSequences: 32, maxRows: 64 },
  ...{ contextLength: 8192, blockCount: 4096 },
}
const cases: [string, number, GenerateOptions][] = [
  ['plain', 100, { temperature: 0.5 }],
  ['long, with penalties', 4000, { presencePenalty: 1 }],
]

it.each(cases)('a step of 32 %s requests costs less than 3 ms', async (name, length, options) => {
  const engine = new Engine(new Instant({ limits }))
  let best = Number.POSITIVE_INFINITY
  for (let i = 0; i < 4; i++) {
    // CPU time, so that other programs on the machine do not count.
    const [cpu, { steps }] = [process.cpuUsage(), engine.stats]
    const runs = Array.from({ length: 32 }, async (_, k) => {
      const ids = new Int32Array(length).fill(100 + k)
      for await (const _ of engine.generate(ids, { maxTokens: 300, ...options })) void _
    })
    await Promise.all(runs)
    const { user, system } = process.cpuUsage(cpu)
    best = Math.min(best, (user + system) / (engine.stats.steps - steps))
  }
  console.log(`engine, 32 ${name} requests: ${best.toFixed(0)} µs of CPU a step`)
  expect(best).toBeLessThan(3000)
})
