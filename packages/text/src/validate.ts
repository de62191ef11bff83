// Checks of a tokenizer.json that a stranger wrote, before the library sees it: structure, ids in range, and
// regular expressions that cannot backtrack without end.
import { isObject, TextError } from './error.ts'

const maxIds = 1 << 24

function fail(field: string, expected: string, got: unknown): never {
  const shown = got === undefined ? 'nothing' : (JSON.stringify(got) ?? String(got)).slice(0, 120)
  throw new TextError(`tokenizer.json: ${field}: expected ${expected}, got ${shown}`)
}

function checkId(field: string, id: unknown): void {
  if (typeof id !== 'number' || !Number.isSafeInteger(id) || id < 0 || id >= maxIds)
    fail(field, `a whole number below ${maxIds}`, id)
}

/**
 * A group that repeats and whose last part repeats too, as in (a+)+, can take exponential time. The patterns
 * of published tokenizers have none; one that has is refused.
 */
export function isRiskyPattern(pattern: string): boolean {
  const repeats = /^(?:[*+]|\{\d+,\d*\})/
  const stack: boolean[] = [] // per open group: does it hold a repetition?
  for (let i = 0; i < pattern.length; i++) {
    const c = pattern[i]
    if (c === '\\') i++
    else if (c === '[') {
      while (i < pattern.length && pattern[i] !== ']') i += pattern[i] === '\\' ? 2 : 1
      if (repeats.test(pattern.slice(i + 1)) && stack.length > 0) stack[stack.length - 1] = true
      continue
    } else if (c === '(') stack.push(false)
    else if (c === ')') {
      const inner = stack.pop() ?? false
      const repeated = repeats.test(pattern.slice(i + 1))
      if (inner && repeated) return true
      if ((inner || repeated) && stack.length > 0) stack[stack.length - 1] = true
      continue
    }
    if (repeats.test(pattern.slice(i + 1)) && stack.length > 0) stack[stack.length - 1] = true
  }
  return false
}

/** All `pattern.Regex` of a tree of normalizers and pre-tokenizers. */
function checkPatterns(field: string, value: unknown, depth = 0): void {
  if (depth > 16) fail(field, 'at most 16 levels', '…')
  if (Array.isArray(value)) for (const item of value) checkPatterns(field, item, depth + 1)
  else if (isObject(value))
    for (const [name, inner] of Object.entries(value)) {
      if (name !== 'Regex') checkPatterns(`${field}.${name}`, inner, depth + 1)
      else if (typeof inner !== 'string' || inner.length > 10_000)
        fail(`${field}.Regex`, 'a pattern', inner)
      else if (isRiskyPattern(inner))
        fail(`${field}.Regex`, 'a pattern without nested repetition', inner)
    }
}

export interface AddedToken {
  readonly id: number
  readonly content: string
  readonly special: boolean
  readonly lstrip: boolean
  readonly rstrip: boolean
}

function readAdded(value: unknown): AddedToken[] {
  if (value === undefined || value === null) return []
  if (!Array.isArray(value)) fail('added_tokens', 'a list', value)
  const ids = new Set<number>()
  const contents = new Set<string>()
  return value.map((token: unknown, i) => {
    const field = `added_tokens[${i}]`
    if (!isObject(token)) fail(field, 'an object', token)
    checkId(`${field}.id`, token.id)
    const { id, content } = token as { id: number; content: unknown }
    if (typeof content !== 'string' || content === '' || content.length > 4096)
      fail(`${field}.content`, 'a text of 1 to 4096 characters', content)
    if (ids.has(id) || contents.has(content))
      fail(field, 'an id and a content of its own', { id, content })
    ids.add(id)
    contents.add(content)
    return {
      id,
      content,
      special: token.special === true,
      lstrip: token.lstrip === true,
      rstrip: token.rstrip === true,
    }
  })
}

export interface TokenizerFile {
  readonly json: Record<string, unknown>
  readonly added: readonly AddedToken[]
  readonly byteLevel: boolean
}

const mentionsByteLevel = (value: unknown): boolean =>
  JSON.stringify(value ?? null).includes('"ByteLevel"')

/** Validates, or throws a TextError naming the field. */
export function validateTokenizer(json: unknown): TokenizerFile {
  if (!isObject(json)) fail('file', 'an object', json)
  const { model } = json
  if (!isObject(model)) fail('model', 'an object', model)
  if (model.type !== undefined && model.type !== 'BPE') fail('model.type', '"BPE"', model.type)
  if (!isObject(model.vocab)) fail('model.vocab', 'an object', model.vocab)
  for (const id of Object.values(model.vocab)) checkId('model.vocab', id)
  const { merges } = model
  if (!Array.isArray(merges)) fail('model.merges', 'a list', merges)
  for (const merge of merges) {
    const pair = Array.isArray(merge) ? merge : typeof merge === 'string' ? merge.split(' ') : []
    if (pair.length !== 2 || pair.some((part) => typeof part !== 'string' || part === ''))
      fail('model.merges', 'pairs of tokens', merge)
  }
  checkPatterns('normalizer', json.normalizer)
  checkPatterns('pre_tokenizer', json.pre_tokenizer)
  const byteLevel = mentionsByteLevel(json.pre_tokenizer) || mentionsByteLevel(json.decoder)
  return { json, added: readAdded(json.added_tokens), byteLevel }
}
