// What a mask costs at 128,815 tokens: fifty schemas and JSON mode, followed along texts that a random walk made.
// "first" is the first text of a grammar (nothing kept yet), "later" the nine after it.
import { readFileSync } from 'node:fs'
import {
  type CompiledGrammar,
  type Grammar,
  jsonObject,
  jsonSchema,
  Vocabulary,
} from '../../packages/grammar/src/index.ts'
import { schemas } from '../../packages/hadal/testdata/schemas.ts'
import { createTokenizer, type Tokenizer } from '../../packages/text/src/index.ts'

const texts = 10
const mostTokens = 200

interface XGrammar {
  readonly TokenizerInfo: {
    createTokenizerInfo(
      vocab: string[],
      type: string,
      prepend: boolean,
      size: number,
      stop: number[],
    ): Promise<unknown>
  }
  readonly GrammarCompiler: {
    createGrammarCompiler(info: unknown): Promise<{
      compileJSONSchema(
        schema: string,
        anyWhitespace: boolean,
        indent: undefined,
        separators: [string, string],
        strict: boolean,
      ): Promise<unknown>
    }>
  }
  readonly GrammarMatcher: {
    createGrammarMatcher(compiled: unknown): Promise<{
      acceptToken(id: number): boolean
      getNextTokenBitmask(): Promise<Int32Array>
    }>
  }
}

function random(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state / 2 ** 32
  }
}

class Times {
  readonly #values: number[] = []
  add(since: number): void {
    this.#values.push((performance.now() - since) * 1000)
  }
  /** `p50 / p99 / max µs (count)` */
  toString(): string {
    const sorted = this.#values.sort((a, b) => a - b)
    const at = (share: number) => (sorted[Math.floor(share * (sorted.length - 1))] ?? 0).toFixed(1)
    return `p50 ${at(0.5)}  p99 ${at(0.99)}  max ${at(1)} µs  (${sorted.length})`
  }
}

/** Tokens of a text that the grammar allows: plain ASCII, structure with a chance that grows. */
function walk(
  compiled: CompiledGrammar,
  vocabulary: Vocabulary,
  tokenizer: Tokenizer,
  next: () => number,
  times: Times,
): number[] {
  const matcher = compiled.start()
  const mask = new Uint32Array(vocabulary.words)
  const ids: number[] = []
  while (!matcher.done && ids.length < mostTokens) {
    const began = performance.now()
    matcher.mask(mask)
    times.add(began)
    const plain: number[] = []
    const closing: number[] = []
    for (
      let tries = 0, id = Math.floor(next() * vocabulary.size);
      tries < vocabulary.size;
      tries++
    ) {
      id = (id + 1) % vocabulary.size
      if ((((mask[id >> 5] ?? 0) >>> (id & 31)) & 1) === 0) continue
      const bytes = Buffer.from(tokenizer.bytesOf(id)).toString('latin1')
      if (/^[\x20-\x7e]{1,12}$/.test(bytes)) plain.push(id)
      if (/["\]}]/.test(bytes)) closing.push(id)
      if (plain.length > 20 && tries > vocabulary.size / 8) break
    }
    const pool = closing.length > 0 && next() < 0.15 + ids.length / 100 ? closing : plain
    const id = pool[Math.floor(next() * pool.length)]
    if (id === undefined || !matcher.accept(id)) break
    ids.push(id)
  }
  return ids
}

export async function run(tokenizerFile: string, xgrammarFile: string | undefined): Promise<void> {
  const tokenizer = createTokenizer({
    tokenizerJson: JSON.parse(readFileSync(tokenizerFile, 'utf8')),
  })
  let began = performance.now()
  const size = tokenizer.size
  const vocabulary = new Vocabulary(tokenizer, { size, endIds: [1] })
  console.log(`vocabulary of ${size}: ${(performance.now() - began).toFixed(0)} ms`)
  const grammars: [string, () => Grammar][] = [
    ...Object.entries(schemas).map(([name, schema]): [string, () => Grammar] => [
      name,
      () => jsonSchema(schema),
    ]),
    ['JSON mode', jsonObject],
  ]
  const [compile, first, later] = [new Times(), new Times(), new Times()]
  const samples: [string, number[]][] = []
  const worst: [string, number][] = []
  for (const [name, make] of grammars) {
    const used = process.cpuUsage()
    began = performance.now()
    const compiled = vocabulary.compile(make())
    compile.add(began)
    const { user, system } = process.cpuUsage(used)
    worst.push([name, (user + system) / 1000])
    const next = random(name.length)
    for (let i = 0; i < texts; i++)
      samples.push([name, walk(compiled, vocabulary, tokenizer, next, i === 0 ? first : later)])
  }
  console.log(`compile ${compile}\nmask, first text ${first}\nmask, later texts ${later}`)
  const slowest = worst.sort((a, b) => b[1] - a[1]).slice(0, 5)
  console.log(
    `most CPU to compile: ${slowest.map(([name, ms]) => `${name} ${ms.toFixed(0)} ms`).join(', ')}`,
  )
  if (xgrammarFile) await compare(tokenizer, xgrammarFile, samples)
}

async function compare(
  tokenizer: Tokenizer,
  file: string,
  samples: [string, number[]][],
): Promise<void> {
  const x = require(file) as XGrammar
  const vocab = Array.from({ length: tokenizer.size }, (_, id) => tokenString(tokenizer, id))
  let began = performance.now()
  const info = await x.TokenizerInfo.createTokenizerInfo(
    vocab,
    'byte_level',
    false,
    tokenizer.size,
    [1],
  )
  const compiler = await x.GrammarCompiler.createGrammarCompiler(info)
  console.log(`web-xgrammar: tokenizer ${(performance.now() - began).toFixed(0)} ms`)
  const [compile, first, later] = [new Times(), new Times(), new Times()]
  const compiled = new Map<string, unknown>()
  const disagreements = new Map<string, string>()
  let agreed = 0
  for (const [name, ids] of samples) {
    const schema = schemas[name]
    if (!schema) continue
    const known = compiled.has(name)
    began = performance.now()
    if (!known) {
      const text = JSON.stringify(schema)
      compiled.set(
        name,
        await compiler
          .compileJSONSchema(text, true, undefined, [',', ':'], true)
          .catch(() => undefined),
      )
      compile.add(began)
    }
    const grammar = compiled.get(name)
    if (!grammar) {
      disagreements.set(name, 'does not compile')
      continue
    }
    const matcher = await x.GrammarMatcher.createGrammarMatcher(grammar)
    let taken = 0
    for (const id of ids) {
      began = performance.now()
      await matcher.getNextTokenBitmask()
      ;(known ? later : first).add(began)
      if (!matcher.acceptToken(id)) break
      taken++
    }
    if (taken === ids.length) agreed++
    else if (!disagreements.has(name))
      disagreements.set(
        name,
        `${JSON.stringify(tokenizer.decode(ids.slice(0, taken)))} then ${JSON.stringify(tokenizer.decode(ids.slice(taken, taken + 1)))}`,
      )
  }
  console.log(`compile ${compile}\nmask, first text ${first}\nmask, later texts ${later}`)
  console.log(
    `it takes ${agreed} of ${samples.filter(([name]) => schemas[name]).length} of our texts whole; where not:`,
  )
  for (const [name, where] of disagreements) console.log(`  ${name}: ${where}`)
}

/** The token as a byte-level vocabulary writes it. */
function tokenString(tokenizer: Tokenizer, id: number): string {
  const added = [...tokenizer.added].find(([, other]) => other === id)
  if (added) return added[0]
  return Array.from(tokenizer.bytesOf(id), (byte) => byteCharacter(byte)).join('')
}

function byteCharacter(byte: number): string {
  const printable = (b: number) => (b >= 33 && b <= 126) || (b >= 161 && b <= 172) || b >= 174
  if (printable(byte)) return String.fromCharCode(byte)
  let next = 256
  for (let b = 0; b < byte; b++) if (!printable(b)) next++
  return String.fromCharCode(next)
}
