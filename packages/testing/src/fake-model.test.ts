// The fake model must notice what it is there to notice.
import type { Batch, RowSampling } from '@hadal/model'
import { describe, expect, it } from 'vitest'
import { FakeModel } from './fake-model.ts'

const greedy: RowSampling = {
  ...{ temperature: 0, topP: 1, topK: 0, minP: 0, topLogprobs: 0, seed: 0n, counter: 0 },
  ...{
    repetitionPenalty: 1,
    presencePenalty: 0,
    frequencyPenalty: 0,
    history: [],
    bias: undefined,
  },
}

/** Ids of one sequence from a position on, in the given blocks. */
function batch(ids: number[], from: number, blocks: number[], changes: Partial<Batch> = {}): Batch {
  const positions = Int32Array.from(ids, (_, i) => from + i)
  return {
    ids: Int32Array.from(ids),
    positions,
    slots: positions.map((p) => (blocks[Math.floor(p / 64)] ?? 0) * 64 + (p % 64)),
    tokenSeq: new Int32Array(ids.length),
    blocks: [blocks],
    rows: Int32Array.of(ids.length - 1),
    sampling: [greedy],
    ...changes,
  }
}

describe('the fake model', () => {
  it('gives the expected ids, whatever the blocks and chunks', async () => {
    const prompt = Array.from({ length: 70 }, (_, i) => 10 + i)
    const model = new FakeModel({ limits: { maxTokens: 128 } })
    const whole = await model.step(batch(prompt, 0, [3, 1]))
    await model.step(batch(prompt.slice(0, 20), 0, [7, 2]))
    const chunked = await model.step(batch(prompt.slice(20), 20, [7, 2]))
    expect(whole.ids).toEqual(chunked.ids)
    expect([...whole.ids]).toEqual(model.expected(prompt, 1))
  })

  it('notices a slot that another sequence wrote over', async () => {
    const model = new FakeModel()
    await model.step(batch([11, 12, 13], 0, [0]))
    await model.step(batch([21, 22, 23], 0, [0]))
    await model.step(batch([24], 3, [0]))
    await model.step(batch([31], 0, [0]))
    await expect(model.step(batch([25], 4, [0]))).rejects.toThrow(
      'position 1: its slot belongs to another sequence',
    )
  })

  it('takes a block that two share, as long as both hold what is in it and none writes', async () => {
    const model = new FakeModel({ limits: { maxTokens: 128 } })
    const ids = Array.from({ length: 64 }, (_, i) => 10 + i)
    await model.step(batch(ids, 0, [0]))
    const two = (a: number[], b: number[], changes: Partial<Batch> = {}): Batch => ({
      ...batch([7, 8], 64, a, { slots: Int32Array.of(a[1]! * 64, b[1]! * 64) }),
      ...{ positions: Int32Array.of(64, 64), tokenSeq: Int32Array.of(0, 1), blocks: [a, b] },
      ...changes,
    })
    const { ids: next } = await model.step(
      two([0, 1], [0, 2], { rows: Int32Array.of(0, 1), sampling: [greedy, greedy] }),
    )
    const expected = [7, 8].map((id) => model.expected([...ids, id], 1)[0])
    expect([...next]).toEqual(expected)
    await expect(model.step(two([0, 1], [0, 1]))).rejects.toThrow('its block is shared')
    await model.step(batch(ids.slice(1), 0, [3]))
    await expect(model.step(two([0, 1], [3, 2]))).rejects.toThrow('position 63: its slot holds')
  })

  it('reads a last id again without writing it, if it is the one that was written', async () => {
    const model = new FakeModel()
    await model.step(batch([11, 12, 13], 0, [0]))
    const again = (id: number) => batch([id], 2, [0], { slots: Int32Array.of(-1) })
    expect([...(await model.step(again(13))).ids]).toEqual(model.expected([11, 12, 13], 1))
    await expect(model.step(again(14))).rejects.toThrow('belongs to another sequence')
  })

  it('gives and takes the contents of blocks', async () => {
    const [a, b] = [new FakeModel(), new FakeModel()]
    await a.step(batch([11, 12, 13], 0, [4]))
    b.writeBlocks([9, 2], a.readBlocks([5, 4]))
    expect([...(await b.step(batch([14], 3, [2]))).ids]).toEqual(a.expected([11, 12, 13, 14], 1))
    await expect(b.step(batch([14], 3, [9]))).rejects.toThrow('holds position undefined')
  })

  const wrong: [string, Batch, string][] = [
    ['a position that skips', batch([14], 5, [0]), 'position 3: its slot holds position undefined'],
    [
      'blocks of somebody else',
      batch([14], 3, [1]),
      'position 0: its slot holds position undefined',
    ],
    [
      'a slot outside its block',
      batch([14], 3, [0], { slots: Int32Array.of(9) }),
      'slot 3 wanted, got 9',
    ],
    ['too few blocks', batch([14], 64, [0]), 'lies in none of 1 blocks'],
    ['a block twice', batch([14], 3, [0, 0]), 'a block in two places'],
    ['a block past the budget', batch([14], 3, [0, 128]), 'a block out of range'],
    ['too many tokens', batch(new Array(65).fill(9), 0, [0, 1]), '65 tokens, most 64'],
    ['no tokens', batch([], 3, [0]), '0 tokens'],
    ['a row without sampling', batch([14], 3, [0], { sampling: [] }), 'as many samplings as rows'],
    [
      'a missing history',
      batch([14], 3, [0], { sampling: [{ ...greedy, presencePenalty: 1 }] }),
      'history of 0 ids, not 4',
    ],
  ]
  it.each(wrong)('notices %s', async (_, next, message) => {
    const model = new FakeModel()
    await model.step(batch([11, 12, 13], 0, [0]))
    await expect(model.step(next)).rejects.toThrow(message)
  })

  it('runs one step at a time and none after its end', async () => {
    const model = new FakeModel()
    const first = model.step(batch([11], 0, [0]))
    await expect(model.step(batch([11], 0, [1]))).rejects.toThrow('a second call while one runs')
    await first
    await model.dispose()
    await expect(model.step(batch([11], 0, [0]))).rejects.toThrow('disposed')
  })

  it('forgets the blocks that are trimmed', async () => {
    const model = new FakeModel()
    await model.step(batch([11, 12], 0, [0]))
    model.trim([0])
    await expect(model.step(batch([13], 2, [0]))).rejects.toThrow('holds position undefined')
  })
})
