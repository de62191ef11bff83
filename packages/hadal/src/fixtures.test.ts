// The fixtures as a stranger loads them: folders without a tokenizer, driven by ids through the public API.
import { fixture, loadGolden, relativeError } from '@hadal/testing'
import { describe, expect, it } from 'vitest'
import { load, TextError } from './index.ts'

const folders = ['distill-llama-bf16', 'distill-qwen2-bf16', 'v2-lite-bf16', 'v3-bf16', 'v3-fp8']

describe('a folder without tokenizer.json', () => {
  it.each(folders)('%s gives its golden logits and ids through load()', async (name) => {
    const [golden] = await loadGolden(name)
    const llm = await load(fixture(name), { precision: 'reference' })
    try {
      const { logitsLast, ids, greedy, mtpLogitsLast } = golden!
      const rows = logitsLast.length / llm.info.vocabularySize
      const mtp = mtpLogitsLast !== undefined
      const out = await llm.forward(ids, { lastLogits: rows, mtp })
      // 1e-4: the same arithmetic in F32, summed in another order.
      expect(relativeError(out.logits, logitsLast)).toBeLessThan(1e-4)
      if (mtp) {
        const last = out.mtpLogits!.subarray(out.mtpLogits!.length - mtpLogitsLast.length)
        expect(relativeError(last, mtpLogitsLast)).toBeLessThan(1e-4)
      }
      // The goldens go on past the end id.
      const options = { maxTokens: greedy!.length, temperature: 0, ignoreEos: true }
      const got: number[] = []
      for await (const { id } of llm.generate(ids, options)) got.push(id)
      expect(got).toEqual([...greedy!])
    } finally {
      await llm.dispose()
    }
  })

  it('says why it takes no text', async () => {
    const llm = await load(fixture('v3-bf16'))
    const reason = /v3-bf16\/tokenizer\.json: not there, so this model takes and gives ids only/
    try {
      expect(() => llm.tokenizer.encode('text')).toThrow(TextError)
      await expect(llm.generate('text').next()).rejects.toThrow(reason)
      await expect(llm.chat([{ role: 'user', content: 'text' }]).next()).rejects.toThrow(reason)
    } finally {
      await llm.dispose()
    }
  })
})
