// From bytes of a stranger to a JSON value: type and encoding, size, UTF-8, depth, array lengths, keys. Bytes in
// flight are counted over all connections, so that many large bodies cannot fill the memory either.
import { ApiError, invalid } from './errors.ts'
import type { Limits } from './options.ts'

const maxDepth = 128
const maxItems = 200_000
const maxValues = 1_000_000

function refuse(status: number, code: string, message: string, close = false): ApiError {
  return new ApiError({ status, message, code, ...(close && { headers: { connection: 'close' } }) })
}

function checkType(headers: Headers): void {
  const type = headers.get('content-type') ?? ''
  const [media = '', ...parameters] = type.split(';').map((part) => part.trim().toLowerCase())
  const charset = parameters.find((part) => part.startsWith('charset='))?.replace(/"/g, '')
  if (media !== 'application/json' || (charset && charset !== 'charset=utf-8'))
    throw refuse(
      415,
      'unsupported_media_type',
      `content-type: expected application/json, got ${JSON.stringify(type.slice(0, 80))}`,
      true,
    )
  const encoding = headers.get('content-encoding') ?? 'identity'
  if (encoding !== 'identity')
    throw refuse(415, 'unsupported_encoding', 'content-encoding: expected none', true)
}

export class BodyReader {
  readonly #limits: Pick<Limits, 'bodyBytes' | 'allBodiesBytes'>
  #inFlight = 0

  constructor(limits: Pick<Limits, 'bodyBytes' | 'allBodiesBytes'>) {
    this.#limits = limits
  }

  async json(request: Request): Promise<unknown> {
    checkType(request.headers)
    const bytes = await this.#read(request)
    let text: string
    try {
      text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
    } catch {
      throw refuse(400, 'invalid_json', 'body: expected UTF-8, got bytes that are not')
    }
    return parse(text)
  }

  async #read(request: Request): Promise<Uint8Array> {
    const { bodyBytes } = this.#limits
    const tooLarge = () =>
      refuse(413, 'body_too_large', `body: expected at most ${bodyBytes} bytes, got more`, true)
    if (Number(request.headers.get('content-length') ?? 0) > bodyBytes) throw tooLarge()
    const chunks: Uint8Array[] = []
    let size = 0
    try {
      for await (const chunk of request.body ?? []) {
        size += chunk.length
        this.#inFlight += chunk.length
        if (size > bodyBytes) throw tooLarge()
        if (this.#inFlight > this.#limits.allBodiesBytes)
          throw refuse(503, 'busy', 'too many bytes of requests are on their way', true)
        chunks.push(chunk)
      }
    } catch (error) {
      if (error instanceof ApiError) throw error
      throw refuse(
        400,
        'body_incomplete',
        'body: expected all of it, got an end in the middle',
        true,
      )
    } finally {
      this.#inFlight -= size
    }
    return Buffer.concat(chunks)
  }
}

function parse(text: string): unknown {
  checkDepth(text)
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    throw refuse(400, 'invalid_json', 'body: expected JSON, got something else')
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw refuse(400, 'invalid_json', 'body: expected a JSON object')
  checkShape(value)
  return value
}

/** Before parsing: a value nested 10^5 deep would cost every later walk its stack. */
function checkDepth(text: string): void {
  let depth = 0
  let inString = false
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i)
    if (inString) {
      if (c === 0x5c) i++
      else if (c === 0x22) inString = false
    } else if (c === 0x22) inString = true
    else if (c === 0x7b || c === 0x5b) {
      if (++depth > maxDepth)
        throw refuse(400, 'invalid_json', `body: expected at most ${maxDepth} levels, got more`)
    } else if (c === 0x7d || c === 0x5d) depth--
  }
}

/** No array that could be no prompt, and no key that means something to JavaScript. */
function checkShape(root: object): void {
  const stack: [object, string][] = [[root, '']]
  let values = 0
  for (let next = stack.pop(); next; next = stack.pop()) {
    const [value, path] = next
    if (Array.isArray(value) && value.length > maxItems)
      throw invalid(path, `expected at most ${maxItems} items, got ${value.length}`)
    const entries = Object.entries(value)
    values += entries.length
    if (values > maxValues) throw invalid('body', `expected at most ${maxValues} values, got more`)
    for (const [key, item] of entries) {
      if (key === '__proto__') throw invalid(`${path || 'body'}.__proto__`, 'expected no such key')
      if (typeof item !== 'object' || item === null) continue
      const name = key.slice(0, 80)
      stack.push([
        item,
        Array.isArray(value) ? `${path}[${name}]` : path ? `${path}.${name}` : name,
      ])
    }
  }
}
