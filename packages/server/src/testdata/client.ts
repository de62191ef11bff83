// Requests for tests, and a judge: every response and every event is held against the served OpenAPI document.
import { Ajv2020 } from 'ajv/dist/2020.js'
import { createApp } from '../app.ts'
import type { ServerOptions } from '../options.ts'
import { isMessagesPath } from '../wire/messages-error.ts'
import { type Echo, type EchoOptions, echoModel } from './echo.ts'

// biome-ignore lint/suspicious/noExplicitAny: what comes back is judged by the document, not by types
export type Loose = any

type Json = Record<string, unknown>

export interface Reply {
  readonly status: number
  readonly headers: Headers
  readonly body: Loose
}

export interface Events {
  readonly status: number
  readonly headers: Headers
  readonly chunks: readonly Loose[]
  readonly done: boolean
  readonly comments: number
}

export interface TestServer {
  readonly model: Echo
  readonly app: ReturnType<typeof createApp>
  readonly log: Loose[]
  get(path: string, headers?: Json): Promise<Reply>
  post(path: string, body: unknown, headers?: Json): Promise<Reply>
  stream(path: string, body: Json): Promise<Events>
  fetch(path: string, init?: RequestInit): Promise<Response>
}

const document = new Map<string, Loose>()

const ajv = new Ajv2020({ strict: false })
const judges = new Map<string, Loose>()

/** Checks a value against the schema that the document names for it. */
export function conforms(doc: Loose, schema: Loose, value: unknown, where: string): void {
  const key = JSON.stringify(schema)
  let check = judges.get(key)
  if (!check) {
    check = ajv.compile({ ...schema, components: doc.components })
    judges.set(key, check)
  }
  if (!check(value))
    throw new Error(`${where}: ${ajv.errorsText(check.errors)} in ${JSON.stringify(value)}`)
}

function operation(doc: Loose, path: string, method: string): Loose {
  const template = Object.keys(doc.paths).find((known) =>
    new RegExp(`^${known.replace(/\{\w+\}/g, '[^/]+')}$`).test(path),
  )
  return template ? doc.paths[template][method] : undefined
}

export function checkReply(doc: Loose, path: string, method: string, reply: Reply): void {
  const found = operation(doc, path, method)
  const where = `${method} ${path} ${reply.status}`
  if (!String(reply.headers.get('content-type')).startsWith('application/json')) return
  const answer = found?.responses[reply.status] ?? found?.responses.default
  const schema = answer?.content['application/json'].schema
  const error = isMessagesPath(path) ? 'AnthropicError' : 'Error'
  conforms(doc, schema ?? { $ref: `#/components/schemas/${error}` }, reply.body, where)
}

export function checkEvents(doc: Loose, path: string, events: Events): void {
  const { responses } = operation(doc, path, 'post')
  const schema = responses[200].content['text/event-stream']['x-event-schema']
  for (const chunk of events.chunks)
    if (!('error' in chunk) || chunk.type === 'error')
      conforms(doc, schema, chunk, `event of ${path}`)
    else conforms(doc, { $ref: '#/components/schemas/Error' }, chunk, `event of ${path}`)
}

/** What an SSE client makes of a body. */
export function parseEvents(text: string): Omit<Events, 'status' | 'headers'> {
  const blocks = text.split('\n\n').filter((block) => block !== '')
  const data = blocks.flatMap((block) => {
    const [, name, text] = /^(?:event: (.+)\n)?data: (.*)$/s.exec(block) ?? []
    if (text === undefined) return []
    if (name !== undefined && JSON.parse(text).type !== name)
      throw new Error(`event ${name}: expected that type, got ${text}`)
    return text
  })
  return {
    chunks: data.filter((line) => line !== '[DONE]').map((line) => JSON.parse(line)),
    done: data.at(-1) === '[DONE]',
    comments: blocks.filter((block) => block.startsWith(':')).length,
  }
}

export function testServer(
  options: Partial<ServerOptions> = {},
  echo: EchoOptions = {},
): TestServer {
  const model = echoModel(echo)
  const log: Loose[] = []
  const writeLog = (line: string) => log.push(JSON.parse(line))
  const app = createApp({ model, writeLog, ...options })
  const send = async (path: string, init: RequestInit = {}) =>
    app.fetch(new Request(`http://localhost${path}`, init))
  const doc = async () => {
    const known = document.get('doc') ?? (await (await open('/openapi.json')).json())
    document.set('doc', known)
    return known
  }
  const [key] = options.apiKeys ?? []
  const open = (path: string) =>
    send(path, key ? { headers: { authorization: `Bearer ${key}` } } : {})
  const reply = async (path: string, method: string, response: Response): Promise<Reply> => {
    const text = await response.text()
    const { status, headers } = response
    const json = headers.get('content-type')?.startsWith('application/json')
    const result = { status, headers, body: json ? JSON.parse(text) : text }
    checkReply(await doc(), path, method, result)
    return result
  }
  const postInit = (body: unknown, headers: Json = {}) => ({
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers } as Record<string, string>,
    body: typeof body === 'string' ? body : JSON.stringify(body),
  })
  return {
    ...{ model, app, log, fetch: send },
    get: async (path, headers = {}) =>
      reply(path, 'get', await send(path, { headers: headers as Record<string, string> })),
    post: async (path, body, headers = {}) =>
      reply(path, 'post', await send(path, postInit(body, headers))),
    async stream(path, body) {
      const response = await send(path, postInit({ ...body, stream: true }))
      if (response.status !== 200)
        throw new Error(`${path}: ${response.status} ${await response.text()}`)
      const { status, headers } = response
      const events = { status, headers, ...parseEvents(await response.text()) }
      checkEvents(await doc(), path, events)
      return events
    },
  }
}

export const user = (content: string): Json => ({ role: 'user', content })

/** All pieces of one choice's texts, joined. */
export function joined(chunks: readonly Loose[], index = 0): Json {
  const out: Loose = { content: '', reasoning: '', finish: [], roles: 0, calls: [] }
  for (const chunk of chunks)
    for (const choice of chunk.choices) {
      if (choice.index !== index) continue
      const { delta } = choice
      out.content += delta.content ?? ''
      out.reasoning += delta.reasoning_content ?? ''
      if (delta.role) out.roles++
      if (choice.finish_reason) out.finish.push(choice.finish_reason)
      for (const call of delta.tool_calls ?? []) {
        out.calls[call.index] ??= { ...call, function: { ...call.function, arguments: '' } }
        out.calls[call.index].function.arguments += call.function.arguments
      }
    }
  return out
}
