// A server that speaks Hadal's wire and replays scripted answers, for tests, screenshots and `vite dev`.
// It sends the page's files with the headers that `@hadal/web` exports, so the policy is tested with them.

import { readFile } from 'node:fs/promises'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import path from 'node:path'
import type { ChatRequest } from '../../app/api/wire.ts'
import { pageHeaders, pagePath } from '../../src/index.ts'
import { type Script, scriptFor, tokensOf } from './answers.ts'

export interface MockState {
  health:
    | { status: 'ok' }
    | { status: 'failed'; error: string }
    | { status: 'loading'; progress: { stage: string; done: number; total: number } }
  /** Answers 429 (or 503) with this Retry-After so many times. */
  busy: { times: number; status: 429 | 503; retryAfter: number }
  key: string | undefined
  /** Answers this script, whatever the question. */
  script: Script | undefined
  /** Multiplies all rates, also of answers that are on their way. */
  speed: number
}

export interface Mock {
  url: string
  state: MockState
  /** Bodies of the chat requests, in order. */
  requests: ChatRequest[]
  /** Answers whose client went away before the end. */
  aborted: number
  /** Every path asked for. */
  paths: string[]
  close(): Promise<void>
}

interface Answering {
  thinkingEnded: boolean
}

const model = 'deepseek-r1-nano'

function json(response: ServerResponse, status: number, body: unknown, headers = {}) {
  response.writeHead(status, { 'Content-Type': 'application/json', ...headers })
  response.end(JSON.stringify(body))
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  let text = ''
  for await (const chunk of request) text += chunk
  return text
}

async function sendFile(response: ServerResponse, url: string) {
  const file = url === '/' ? 'index.html' : url.slice(1)
  const full = path.join(pagePath, path.normalize(file))
  try {
    if (!full.startsWith(pagePath)) throw new Error('outside')
    const content = await readFile(full)
    response.writeHead(200, pageHeaders(file))
    response.end(content)
  } catch {
    json(response, 404, { error: { message: `No such page: ${url}` } })
  }
}

const pauseFor = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

/** The rest of a script after what the client already has. */
function remaining(script: Script, body: ChatRequest): Script {
  const last = body.messages.at(-1)
  if (!last?.prefix) return script
  const answer = script.answer.startsWith(last.content)
    ? script.answer.slice(last.content.length)
    : ' …and goes on from there.'
  const thought = last.reasoning_content ?? ''
  const thinking = last.content === '' ? (script.thinking ?? '').slice(thought.length) : ''
  const rest = { ...script, answer: answer || 'dle, and now it is whole.', thinking }
  return { ...rest, finish: 'stop' }
}

class Answer {
  readonly id: string
  private readonly response: ServerResponse
  private sent = 0
  constructor(id: string, response: ServerResponse) {
    this.id = id
    this.response = response
  }
  line(body: unknown) {
    this.response.write(`data: ${JSON.stringify(body)}\n\n`)
  }
  delta(delta: unknown, finish: string | null = null) {
    const choices = [{ index: 0, delta, finish_reason: finish }]
    this.line({ id: this.id, object: 'chat.completion.chunk', created: 1, model, choices })
  }
  /** Tokens at a rate, until `stop` says so; false when the script breaks the answer off. */
  async tokens(
    field: string,
    text: string,
    rate: () => number,
    script: Script,
    stop: () => boolean,
  ) {
    const tokens = tokensOf(text)
    for (let i = 0; i < tokens.length && !stop(); ) {
      // At high rates several tokens go with one tick of the clock.
      const group = Math.max(1, Math.round(rate() / 250))
      for (const token of tokens.slice(i, i + group)) {
        if (script.failAt && this.sent === script.failAt.token) return this.fail(script.failAt.how)
        this.delta({ [field]: token })
        this.sent += 1
      }
      i += group
      await pauseFor((1000 * group) / rate())
    }
    return true
  }
  private fail(how: 'error' | 'cut') {
    if (how === 'cut') this.response.destroy()
    else {
      this.line({ error: { message: 'Out of KV memory at token 30', type: 'server_error' } })
      this.response.end()
    }
    return false
  }
}

async function replay(
  mock: Mock,
  body: ChatRequest,
  answer: Answer,
  answering: Answering,
  gone: () => boolean,
) {
  const question = body.messages.findLast((message) => message.role === 'user')?.content ?? ''
  const script = remaining(mock.state.script ?? scriptFor(question), body)
  const started = Date.now()
  answer.delta({ role: 'assistant', content: null })
  const thinking = body.thinking.type === 'enabled' ? (script.thinking ?? '') : ''
  const thinkingRate = () => (script.thinkingRate ?? 120) * mock.state.speed
  const rate = () => (script.rate ?? 160) * mock.state.speed
  const stopThinking = () => answering.thinkingEnded || gone()
  const ok =
    (await answer.tokens('reasoning_content', thinking, thinkingRate, script, stopThinking)) &&
    (await answer.tokens('content', script.answer, rate, script, gone))
  if (!ok || gone()) return
  for (const [index, call] of (script.toolCalls ?? []).entries()) {
    const { name } = call
    answer.delta({
      tool_calls: [{ index, id: `call_${index}`, function: { name, arguments: '' } }],
    })
    for (const piece of tokensOf(call.arguments))
      answer.delta({ tool_calls: [{ index, function: { arguments: piece } }] })
  }
  finish(answer, script, thinking, question, Date.now() - started)
}

function finish(answer: Answer, script: Script, thinking: string, question: string, ms: number) {
  answer.delta({}, script.finish ?? 'stop')
  const reasoning = tokensOf(thinking).length
  const completion = reasoning + tokensOf(script.answer).length
  const prompt = tokensOf(question).length + 12
  const thought = Math.round(ms * (reasoning / completion))
  answer.line({
    id: answer.id,
    object: 'chat.completion.chunk',
    created: 1,
    model,
    choices: [],
    usage: {
      prompt_tokens: prompt,
      completion_tokens: completion,
      total_tokens: prompt + completion,
      prompt_cache_hit_tokens: Math.floor(prompt / 2),
      prompt_cache_miss_tokens: prompt - Math.floor(prompt / 2),
      completion_tokens_details: { reasoning_tokens: reasoning },
    },
    hadal: {
      ttft_ms: 84,
      tokens_per_second: 42.6,
      ...(reasoning > 0 ? { reasoning_ms: script.reasoningMs ?? thought } : {}),
      cost: { amount: completion * 2.19e-6 + prompt * 1.4e-7, currency: 'USD' },
    },
  })
}

function refuse(mock: Mock, request: IncomingMessage, response: ServerResponse): boolean {
  const { state } = mock
  if (state.key && request.headers.authorization !== `Bearer ${state.key}`) {
    json(response, 401, {
      error: { message: 'Wrong or missing API key', type: 'authentication_error' },
    })
    return true
  }
  if (state.health.status === 'loading') {
    json(response, 503, { error: { message: 'the model is loading', code: 'model_loading' } })
    return true
  }
  return false
}

async function chat(
  mock: Mock,
  running: Map<string, Answering>,
  request: IncomingMessage,
  response: ServerResponse,
) {
  if (refuse(mock, request, response)) return
  const { busy } = mock.state
  if (busy.times > 0) {
    busy.times -= 1
    const error = { error: { message: '12 requests are waiting; at most 12 may wait.' } }
    return json(response, busy.status, error, { 'Retry-After': String(busy.retryAfter) })
  }
  const body = JSON.parse(await bodyOf(request)) as ChatRequest
  mock.requests.push(body)
  response.writeHead(200, { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-cache' })
  const id = `chatcmpl-${mock.requests.length}`
  const answering = { thinkingEnded: false }
  running.set(id, answering)
  response.on('close', () => {
    running.delete(id)
    if (!response.writableEnded) mock.aborted += 1
  })
  await replay(mock, body, new Answer(id, response), answering, () => response.destroyed)
  if (!response.writableEnded && !response.destroyed) response.end('data: [DONE]\n\n')
}

async function route(
  mock: Mock,
  running: Map<string, Answering>,
  request: IncomingMessage,
  response: ServerResponse,
) {
  const url = new URL(request.url ?? '/', 'http://mock').pathname
  mock.paths.push(url)
  const endThinking = /^\/v1\/chat\/completions\/([^/]+)\/end_thinking$/.exec(url)
  if (url === '/v1/chat/completions') return chat(mock, running, request, response)
  if (endThinking) {
    const answering = running.get(endThinking[1] ?? '')
    if (answering) answering.thinkingEnded = true
    return json(response, answering ? 200 : 404, {})
  }
  if (url === '/v1/models') {
    if (refuse(mock, request, response)) return
    return json(response, 200, { object: 'list', data: [{ id: model, object: 'model' }] })
  }
  if (url === '/health') {
    const { health } = mock.state
    if (health.status !== 'ok') return json(response, 503, health)
    return json(response, 200, { status: 'ok', model, context_length: 4096 })
  }
  return sendFile(response, url)
}

export async function startMock(port: number = 0): Promise<Mock> {
  const running = new Map<string, Answering>()
  const mock: Mock = {
    url: '',
    requests: [],
    aborted: 0,
    paths: [],
    state: {
      health: { status: 'ok' },
      busy: { times: 0, status: 429, retryAfter: 1 },
      key: undefined,
      script: undefined,
      speed: 1,
    },
    close: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
  const server: Server = createServer((request, response) => {
    route(mock, running, request, response).catch((error) => {
      if (!response.headersSent) json(response, 500, { error: { message: String(error) } })
      else response.destroy()
    })
  })
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
  mock.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return mock
}
