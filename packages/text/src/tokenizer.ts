// Ids from text and bytes from ids. The library encodes ordinary text; special tokens are split off here, so
// that a caller decides whether their names in a text mean anything.
import { Tokenizer as Bpe } from '@huggingface/tokenizers'
import { byteLevelBytes, sentencePieceBytes } from './byte-tokens.ts'
import { isObject, TextError } from './error.ts'
import { type AddedToken, validateTokenizer } from './validate.ts'

export interface TokenizerFiles {
  readonly tokenizerJson: unknown
  readonly tokenizerConfig?: unknown
  readonly chatTemplate?: string
}

export interface EncodeOptions {
  /** Names of special tokens in the text become their ids. Default false: they are ordinary text. */
  readonly special?: boolean
  /** Put the begin-of-sentence id first. Default false. */
  readonly bos?: boolean
}

export interface Tokenizer {
  /** One more than the largest id. */
  readonly size: number
  readonly bosId: number | undefined
  readonly eosId: number | undefined
  /** Texts of special and added tokens with their ids. */
  readonly added: ReadonlyMap<string, number>
  encode(text: string, options?: EncodeOptions): Int32Array
  /** Text of ids; bytes that are no UTF-8 come as U+FFFD. */
  decode(ids: Iterable<number>, options?: { readonly skipSpecial?: boolean }): string
  /** The bytes of one token; empty for ids that the vocabulary does not have. */
  bytesOf(id: number): Uint8Array
  idOf(token: string): number | undefined
  isSpecial(id: number): boolean
}

/** Text of a field that is a string or an added-token object. */
export function tokenText(config: unknown, field: string): string | undefined {
  if (!isObject(config)) return undefined
  const value = config[field]
  if (typeof value === 'string') return value
  return isObject(value) && typeof value.content === 'string' ? value.content : undefined
}

export const escapePattern = (text: string): string => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')

/** Longest piece that goes to the library at once: its merges cost the square of an unbroken run's length. */
const maxPiece = 8192

/** Cuts a long text where a line or a word ends, if one does, so that ids stay those of the whole text. */
function* pieces(text: string): Iterable<string> {
  let at = 0
  while (text.length - at > maxPiece) {
    const window = text.slice(at, at + maxPiece)
    // A newline followed by a letter ends every pre-tokenizer's match; a space begins the next one.
    const line = window.search(/\n(?=\p{L}[^\n]*$)/u)
    const word = Math.max(line + 1, window.search(/ \p{L}+[^ ]*$/u))
    let cut = word > 0 ? word : maxPiece
    const code = text.charCodeAt(at + cut)
    if (code >= 0xdc00 && code <= 0xdfff) cut--
    yield text.slice(at, at + cut)
    at += cut
  }
  yield text.slice(at)
}

interface Piece {
  readonly text: string
  readonly token: AddedToken | undefined
}

function splitSpecial(
  text: string,
  pattern: RegExp | undefined,
  byText: Map<string, AddedToken>,
): Piece[] {
  if (!pattern) return [{ text, token: undefined }]
  const out: Piece[] = []
  for (const part of text.split(pattern)) {
    const token = byText.get(part)
    const before = out.at(-1)
    if (token?.lstrip && before && !before.token)
      out[out.length - 1] = { text: before.text.trimEnd(), token: undefined }
    out.push({ text: before?.token?.rstrip && !token ? part.trimStart() : part, token })
  }
  return out
}

/** Builds a tokenizer, or throws a TextError that names the field. */
export function createTokenizer(files: TokenizerFiles): Tokenizer {
  const { json, added, byteLevel } = validateTokenizer(files.tokenizerJson)
  const config = isObject(files.tokenizerConfig) ? files.tokenizerConfig : {}
  let bpe: Bpe
  try {
    bpe = new Bpe({ ...json, added_tokens: [] }, { ...config, added_tokens_decoder: {} })
  } catch (cause) {
    throw new TextError(`tokenizer.json: cannot be used: ${(cause as Error).message}`, { cause })
  }
  const byText = new Map(added.map((token) => [token.content, token]))
  const byId = new Map(added.map((token) => [token.id, token]))
  const pattern = alternatives(added)
  const vocab = (json.model as { vocab: Record<string, number> }).vocab
  const tokens = new Map<number, string>(Object.entries(vocab).map(([token, id]) => [id, token]))
  let size = 0
  for (const id of [...tokens.keys(), ...byId.keys()]) size = Math.max(size, id + 1)
  const idOf = (token: string) => byText.get(token)?.id ?? vocab[token]
  const named = (field: string) => {
    const text = tokenText(config, field)
    return text === undefined ? undefined : idOf(text)
  }
  const bosId = named('bos_token')
  const cache = new Map<number, Uint8Array>()

  const bytesOf = (id: number): Uint8Array => {
    const known = cache.get(id)
    if (known) return known
    const token = byId.get(id)
    const text = tokens.get(id) ?? ''
    const plain = byteLevel ? byteLevelBytes(text) : sentencePieceBytes(text)
    const bytes = token ? new TextEncoder().encode(token.content) : plain
    cache.set(id, bytes)
    return bytes
  }

  const encodePlain = (text: string, out: number[]): void => {
    for (const piece of pieces(text))
      if (piece !== '')
        for (const id of bpe.encode(piece, { add_special_tokens: false }).ids) out.push(id)
  }

  return {
    size,
    bosId,
    eosId: named('eos_token'),
    added: new Map(added.map((token) => [token.content, token.id])),
    idOf,
    bytesOf,
    isSpecial: (id) => byId.get(id)?.special === true,
    encode(text, { special = false, bos = false } = {}) {
      const out: number[] = bos && bosId !== undefined ? [bosId] : []
      for (const piece of splitSpecial(text, special ? pattern : undefined, byText)) {
        if (piece.token) out.push(piece.token.id)
        else encodePlain(piece.text, out)
      }
      return Int32Array.from(out)
    },
    decode(ids, { skipSpecial = false } = {}) {
      const decoder = new TextDecoder('utf-8', { ignoreBOM: true })
      let text = ''
      for (const id of ids)
        if (!(skipSpecial && byId.get(id)?.special))
          text += decoder.decode(bytesOf(id), { stream: true })
      return text + decoder.decode()
    },
  }
}

/** Stands where a checkpoint has no tokenizer: ids still work, and text throws a TextError that says why not. */
export function absentTokenizer(reason: string): Tokenizer {
  const refuse = (): never => {
    throw new TextError(reason)
  }
  return {
    ...{ size: 0, bosId: undefined, eosId: undefined, added: new Map() },
    ...{ encode: refuse, decode: refuse, bytesOf: refuse },
    idOf: () => undefined,
    isSpecial: () => false,
  }
}

/** A splitting pattern that keeps the tokens; longer ones first, so that none hides in another. */
function alternatives(added: readonly AddedToken[]): RegExp | undefined {
  if (added.length === 0) return undefined
  const texts = added.map((token) => token.content).sort((a, b) => b.length - a.length)
  return new RegExp(`(${texts.map(escapePattern).join('|')})`, 'u')
}
