// The public API on the embedded model: what it yields, how it stops, what it refuses, what it leaves behind.
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { pathToFileURL } from 'node:url'
import { fixture } from '@hadal/testing'
import { describe, expect, it } from 'vitest'
import { type ChatFinish, type Llm, load, OptionError } from './index.ts'

const question = [{ role: 'user', content: 'How many r are in strawberry?' }] as const

async function withLlm<R>(use: (llm: Llm) => Promise<R>, options = {}): Promise<R> {
  const llm = await load(undefined, options)
  try {
    return await use(llm)
  } finally {
    await llm.dispose()
  }
}

describe('llm.chat', () => {
  it('thinks, then answers, and reports how it went', async () => {
    await withLlm(async (llm) => {
      let finish: ChatFinish | undefined
      const texts = { reasoning: '', text: '', 'tool-call': '', 'tool-call-delta': '' }
      const onFinish = (f: ChatFinish) => {
        finish = f
      }
      for await (const part of llm.chat(question, { temperature: 0, seed: 1, onFinish }))
        texts[part.type] += part.text
      expect(texts.text).toBe('3')
      expect(texts.reasoning).toContain('count r')
      expect(finish).toMatchObject({ reason: 'stop', text: '3', promptTokens: 22 })
      expect(finish?.reasoningTokens).toBeGreaterThan(20)
    })
  })

  it('counts the tokens of a prompt without answering, and says how it samples', async () => {
    await withLlm(async (llm) => {
      expect(llm.countTokens(question)).toBe(22)
      expect(llm.countTokens(question, { thinking: false })).toBeLessThan(30)
      expect(() => llm.countTokens(question, { think: true } as object)).toThrow(OptionError)
      expect(() => llm.countTokens([])).toThrow(/messages: expected at least one/)
      expect(llm.stats.tokensPrefilled).toBe(0)
      expect(llm.info.sampling).toEqual({ temperature: 0.6, topP: 1 })
    })
  })

  it('answers at once when thinking is off', async () => {
    await withLlm(async (llm) => {
      const types = new Set<string>()
      for await (const part of llm.chat(question, { temperature: 0, thinking: false }))
        types.add(part.type)
      expect([...types]).toEqual(['text'])
    })
  })

  it('closes its thinking when the budget runs out', async () => {
    await withLlm(async (llm) => {
      const stream = llm.chat(question, { temperature: 0, maxReasoningTokens: 8, maxTokens: 60 })
      let next = await stream.next()
      while (!next.done) next = await stream.next()
      expect(next.value.reasoningTokens).toBe(8)
      expect(next.value.text).not.toBe('')
    })
  })

  it('gives the same answer for the same seed, alone and among seven others', async () => {
    await withLlm(async (llm) => {
      const ask = async (seed: number, content: string) => {
        const ids: number[] = []
        const prompt = llm.tokenizer.encode(content, { bos: true })
        for await (const { id, logprob } of llm.generate(prompt, {
          temperature: 0.8,
          seed,
          maxTokens: 40,
          ignoreEos: true,
        }))
          ids.push(id, logprob)
        return ids
      }
      const alone = await ask(7, 'What is 47 * 36?')
      const company = Array.from({ length: 7 }, (_, i) => ask(i, `Add ${i} and ${i * 3 + 1}.`))
      const [together] = await Promise.all([ask(7, 'What is 47 * 36?'), ...company])
      expect(together).toEqual(alone)
    })
  })

  it('stops at once on break, on return and on a signal, and frees every block', async () => {
    await withLlm(async (llm) => {
      for await (const _ of llm.chat(question)) break
      const stream = llm.chat(question)
      await stream.next()
      expect((await stream.return()).value).toMatchObject({ reason: 'cancelled' })
      const abort = new AbortController()
      const aborted = llm.chat(question, { signal: abort.signal })
      await aborted.next()
      abort.abort()
      let end = await aborted.next()
      while (!end.done) end = await aborted.next()
      expect(end.value.reason).toBe('cancelled')
      expect(llm.stats).toMatchObject({ running: 0, waiting: 0 })
      expect(llm.stats.blocksFree).toBe(llm.stats.blocksTotal)
    })
  })
})

describe('llm.chat with topLogprobs', () => {
  it('brings every token, in order, with the pieces', async () => {
    await withLlm(async (llm) => {
      const ids: number[] = []
      let count = 0
      const onFinish = (finish: ChatFinish) => {
        count = finish.completionTokens
      }
      const options = { temperature: 0, topLogprobs: 2, onFinish }
      for await (const { tokens = [] } of llm.chat(question, options))
        for (const { id, logprob, top } of tokens) {
          expect(top?.[0]).toEqual({ id, logprob })
          ids.push(id)
        }
      expect(ids).toHaveLength(count)
      expect(llm.tokenizer.decode(ids)).toMatch(/^spell s t r[\s\S]*<\/think>\s*3$/)
    })
  })
})

describe('llm.forward', () => {
  it('gives logits of every position and of the MTP module', async () => {
    await withLlm(async (llm) => {
      const ids = llm.tokenizer.encode('Add 1 and 2.', { bos: true })
      const V = llm.info.vocabularySize
      const { logits, mtpLogits } = await llm.forward(ids, { mtp: true })
      expect(logits).toHaveLength(ids.length * V)
      expect(mtpLogits).toHaveLength((ids.length - 1) * V)
      expect(logits.every(Number.isFinite)).toBe(true)
    })
  })
})

describe('options', () => {
  it.each([
    [{ thread: 2 }, /unknown option "thread"; did you mean "threads"\?/],
    [{ device: 'gpu' }, /expected 'auto', 'cpu' or 'cuda', got "gpu"/],
    [{ precision: 'exact' }, /precision: expected 'fast' or 'reference'/],
  ])('%o is refused', async (options, message) => {
    const loading = load(undefined, options as object)
    await expect(loading).rejects.toThrow(OptionError)
    await expect(load(undefined, options as object)).rejects.toThrow(message)
  })

  it.each([
    [[5], /load: path: expected a checkpoint folder as a string or file: URL, .*, got 5/],
    [[{ threads: 2 }, { threads: 2 }], /load: path: expected .* before the options, got an object/],
    [[[]], /load: path: expected .*, got/],
    [[{ thread: 2 }], /did you mean "threads"/],
    [[undefined, null], /load: options: expected an object, got null/],
    [[undefined, { onProgress: 'yes' }], /onProgress: expected a function, got "yes"/],
  ])('load(...%j) is refused', async (args, message) => {
    const loading = (load as (...a: unknown[]) => Promise<unknown>)(...args)
    await expect(loading).rejects.toMatchObject({ name: 'OptionError', code: 'ERR_HADAL_OPTION' })
    await expect(loading).rejects.toThrow(message)
  })

  it('calls with wrong arguments reject at the first next(), by name', async () => {
    await withLlm(async (llm) => {
      const { chat, generate, forward } = llm as unknown as Record<
        'chat' | 'generate' | 'forward',
        (...args: unknown[]) => AsyncGenerator & Promise<unknown>
      >
      const wrong: [() => Promise<unknown>, RegExp][] = [
        [() => chat(question, { temprature: 1 }).next(), /did you mean "temperature"/],
        [() => chat(question, null).next(), /chat: options: expected an object, got null/],
        [() => chat(question, { thinking: 'no' }).next(), /thinking: expected a boolean, got "no"/],
        [() => chat(question, { tools: 'no' }).next(), /tools: expected an array, got "no"/],
        [() => chat(question, { onFinish: 1 }).next(), /onFinish: expected a function, got 1/],
        [() => chat('hello').next(), /messages: expected an array .*, got "hello"/],
        [() => chat([]).next(), /messages: expected at least one/],
        [() => chat([{ role: 'bot', content: '' }]).next(), /messages\[0\]\.role: .*, got "bot"/],
        [
          () => chat([{ role: 'user', content: [] }]).next(),
          /messages\[0\]\.content: expected a string, got an array of 0/,
        ],
        [() => generate([1], { maxToken: 1 }).next(), /did you mean "maxTokens"/],
        [() => forward([1], { mpt: true }), /did you mean "mtp"/],
        [() => forward([1], { lastLogits: -1 }), /lastLogits: expected a whole number/],
      ]
      for (const [call, message] of wrong) await expect(call()).rejects.toThrow(message)
    })
  })

  it('takes a file: URL for the folder', async () => {
    const llm = await load(pathToFileURL(fixture('v3-bf16')))
    expect(llm.info.path).toBe(fixture('v3-bf16'))
    await llm.dispose()
  })

  it.each([
    [{ threads: 0 }, /threads/],
    [{ contextLength: 513 }, /contextLength: expected at most 512/],
    [{ kvBytes: 10 }, /KV cache: one sequence of 512 tokens needs/],
    [{ isa: 'sse9' }, /isa: expected one of .*, got "sse9"/],
  ])('%o is refused with the numbers', async (options, message) => {
    await expect(load(undefined, options)).rejects.toThrow(message)
  })

  it('a folder that is no checkpoint is an error that names the file', async () => {
    await expect(load('/nowhere')).rejects.toThrow(/\/nowhere: cannot be opened: ENOENT/)
  })

  it('a disposed model refuses work, twice disposed is once', async () => {
    const llm = await load()
    await Promise.all([llm.dispose(), llm.dispose()])
    await expect(llm.chat(question).next()).rejects.toMatchObject({ code: 'ERR_HADAL_DISPOSED' })
  })
})

describe('soak', () => {
  const rss = () => process.memoryUsage.rss() / 1e6

  it('eight chats at once, 200 cancelled at random points: all blocks free, the loop keeps ticking', {
    timeout: 120_000,
  }, async () => {
    await withLlm(async (llm) => {
      const delay = monitorEventLoopDelay({ resolution: 5 })
      delay.enable()
      let state = 99
      const random = (n: number) => {
        state = (Math.imul(state, 1103515245) + 12345) >>> 0
        return (state >>> 8) % n
      }
      let cancelled = 0
      const worker = async () => {
        while (cancelled < 200) {
          cancelled++
          let left = random(60)
          const signal = random(2) === 0 ? AbortSignal.timeout(1 + random(40)) : undefined
          for await (const _ of llm.chat(question, {
            seed: random(1000),
            ...(signal && { signal }),
          }))
            if (left-- === 0) break
        }
      }
      await Promise.all(Array.from({ length: 8 }, worker))
      delay.disable()
      const ms = (ns: number) => (ns / 1e6).toFixed(1)
      process.stdout.write(
        `event loop delay over 200 chats: mean ${ms(delay.mean)} ms, p99 ${ms(delay.percentile(99))} ms, max ${ms(delay.max)} ms\n`,
      )
      expect(llm.stats).toMatchObject({ running: 0, waiting: 0 })
      expect(llm.stats.blocksFree).toBe(llm.stats.blocksTotal)
      // A step of the embedded model takes a millisecond; only a loop blocked for whole answers would reach this.
      expect(delay.percentile(99) / 1e6).toBeLessThan(250)
    })
  })

  it('50 times loaded and disposed of: memory stays', { timeout: 120_000 }, async () => {
    const once = async () => {
      await withLlm(async (llm) => {
        for await (const _ of llm.chat(question, { maxTokens: 4 })) void _
      })
    }
    for (let i = 0; i < 15; i++) await once()
    globalThis.gc?.()
    const before = rss()
    for (let i = 0; i < 50; i++) await once()
    globalThis.gc?.()
    const after = rss()
    process.stdout.write(
      `RSS before ${before.toFixed(0)} MB, after 50 cycles ${after.toFixed(0)} MB\n`,
    )
    // One leaked load would hold its 5 MB map and 30 MB of buffers; garbage not yet collected stays far below 50 of those.
    expect(after - before).toBeLessThan(120)
  })
})
