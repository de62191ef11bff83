// Requests in, responses out: the order of the checks, the routes, and what every response carries. Knows no socket.
import { randomBytes } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { Hono } from 'hono'
import { Core, type Ctx, type RequestState } from './core.ts'
import { type ApiError, notFound, toApiError } from './errors.ts'
import type { ServerOptions } from './options.ts'
import { Page } from './page.ts'
import { addRoute } from './routes/add.ts'
import { chatRoutes } from './routes/chat.ts'
import { completionRoutes } from './routes/completions.ts'
import { infoRoutes } from './routes/info.ts'
import { messagesRoutes } from './routes/messages.ts'
import { responsesRoutes } from './routes/responses.ts'
import { checkHost, checkOrigin, corsHeaders, keyCheck } from './security.ts'
import { anthropicErrorBody, isMessagesPath } from './wire/messages-error.ts'

/** Present when Node's server made the request. */
interface Bindings {
  readonly incoming?: IncomingMessage
  readonly outgoing?: ServerResponse
}

export interface App {
  readonly core: Core
  fetch(request: Request, bindings?: Bindings): Response | Promise<Response>
}

const always: Readonly<Record<string, string>> = {
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
}

export function createApp(options: ServerOptions): App {
  const core = new Core(options)
  const page = options.page === undefined ? undefined : new Page(options.page)
  const checkKey = keyCheck(options.apiKeys ?? [])
  // Of the root alone are /v1/models and /models the same; nothing else is guessed.
  const app = new Hono<RequestState>({ strict: true })

  app.use(async (c, next) => {
    const started = performance.now()
    const { incoming, outgoing } = (c.env ?? {}) as Bindings
    c.set('id', `req_${randomBytes(8).toString('hex')}`)
    c.set('route', 'other')
    await next()
    const { headers, status } = c.res
    if (status >= 400) headers.set('cache-control', 'no-store')
    for (const [name, value] of Object.entries(always)) headers.set(name, value)
    const origin = c.get('origin')
    if (origin)
      for (const [name, value] of Object.entries(corsHeaders(origin))) headers.set(name, value)
    if (core.draining) headers.set('connection', 'close')
    headers.set('x-request-id', c.get('id'))
    if (isMessagesPath(c.req.path)) headers.set('request-id', c.get('id'))
    const log = () => logRequest(c, core, started, incoming)
    if (outgoing && !outgoing.destroyed) outgoing.once('close', log)
    else void log()
  })

  app.use(async (c, next) => {
    const { incoming } = (c.env ?? {}) as Bindings
    checkHost(c.req.raw, incoming?.rawHeaders ?? [], options)
    const origin = checkOrigin(c.req.raw, options)
    c.set('origin', origin)
    if (c.req.method === 'OPTIONS' && origin) return c.body(null, 204)
    const open = c.req.path === '/health' || page?.has(c.req.path)
    if (!open) c.set('cacheSalt', checkKey(c.req.raw))
    await next()
    return undefined
  })

  chatRoutes(app, core, addRoute)
  completionRoutes(app, core, addRoute)
  infoRoutes(app, core, addRoute)
  messagesRoutes(app, core)
  responsesRoutes(app, core)
  app.notFound((c) => page?.respond(c.req.path, c.req.raw) ?? errorResponse(c, notFound()))
  app.onError((error, c) => {
    const told = toApiError(error)
    if (told.status === 500 && !c.get('job')) core.log.error(told, { id: c.get('id') })
    return errorResponse(c, told)
  })
  return {
    core,
    fetch: (request, bindings = {}) => app.fetch(request, bindings),
  }
}

/** In the shape of the path's wire. */
function errorResponse(c: Ctx, error: ApiError): Response {
  return isMessagesPath(c.req.path)
    ? error.response(anthropicErrorBody(error, c.get('id')))
    : error.response()
}

async function logRequest(
  c: Ctx,
  core: Core,
  started: number,
  incoming: IncomingMessage | undefined,
): Promise<void> {
  const [route, job] = [c.get('route'), c.get('job')]
  const { status } = c.res
  core.metrics.requests.add(1, { route, status })
  await job?.done
  const prompt = c.get('prompt')
  core.log.request({
    id: c.get('id'),
    method: c.req.method.slice(0, 16),
    route,
    status,
    ms: Math.round(performance.now() - started),
    client: incoming?.socket.remoteAddress,
    ...(job && jobFields(job)),
    ...(prompt !== undefined && { prompt }),
  })
}

function jobFields(job: NonNullable<RequestState['Variables']['job']>): Record<string, unknown> {
  const { prompt, cached, completion, reasoning } = job.tokens
  const first = job.timeToFirstTokenMs
  return {
    job: job.id,
    choices: job.choices,
    prompt_tokens: prompt,
    cached_tokens: cached,
    completion_tokens: completion,
    reasoning_tokens: reasoning,
    ...(first !== undefined && { ttft_ms: Math.round(first) }),
    end: job.failure?.code ?? job.stopped ?? job.finishes.get(0)?.reason ?? 'none',
  }
}
