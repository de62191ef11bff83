// The socket in front of the app: Node's server with its limits, start, drain and stop.
import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import { type AddressInfo, isIP } from 'node:net'
import type { Duplex } from 'node:stream'
import { getRequestListener } from '@hono/node-server'
import { type App, createApp } from './app.ts'
import { ApiError } from './errors.ts'
import type { Limits, ServerOptions } from './options.ts'

export interface ServeOptions extends ServerOptions {
  /** Default 127.0.0.1: this machine alone. */
  readonly host?: string
  /** Default 8000; 0 takes any that is free. */
  readonly port?: number
  /** Listen beyond this machine without a key. */
  readonly public?: boolean
}

export interface ServerHandle {
  readonly url: string
  readonly port: number
  readonly app: App
  /** Takes nothing new, lets what runs end for `graceMs`, cancels the rest, closes every socket. Idempotent. */
  drain(graceMs?: number): Promise<void>
}

export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'))
}

/** Listens at once, also while the model is still being loaded. Throws when the port is taken. */
export async function serve(options: ServeOptions): Promise<ServerHandle> {
  const { host = '127.0.0.1', port = 8000 } = options
  if (!isLoopback(host) && !options.apiKeys?.length && !options.public)
    throw new TypeError(
      `host: expected this machine (127.0.0.1) when there is no API key, got ${host}; give a key, or say public`,
    )
  const app = createApp(options)
  const server = httpServer(app)
  server.listen(port, host)
  await once(server, 'listening')
  const address = server.address() as AddressInfo
  const name = address.family === 'IPv6' ? `[${address.address}]` : address.address
  let drained: Promise<void> | undefined
  return {
    url: `http://${name}:${address.port}`,
    port: address.port,
    app,
    drain(graceMs = 30_000) {
      drained ??= drain(server, app, graceMs)
      return drained
    },
  }
}

function httpServer(app: App): Server {
  const { limits } = app.core
  const listener = getRequestListener(
    (request, env) => app.fetch(request, env as Parameters<App['fetch']>[1]),
    { overrideGlobalObjects: false, errorHandler: (error) => wrongRequest(app, error) },
  )
  const server = createServer(
    {
      maxHeaderSize: limits.headerBytes,
      headersTimeout: limits.headersMs,
      requestTimeout: limits.bodyMs,
      keepAliveTimeout: limits.keepAliveMs,
      // Ours says more than Node's bare 400.
      requireHostHeader: false,
      connectionsCheckingInterval: Math.min(1000, limits.headersMs),
    },
    (incoming, outgoing) => void listener(incoming, outgoing),
  )
  setLimits(server, limits)
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => refuseBytes(error, socket))
  // A request that wants to know first whether its body is welcome.
  server.on('checkContinue', (incoming, outgoing) => {
    if (Number(incoming.headers['content-length'] ?? 0) <= limits.bodyBytes)
      outgoing.writeContinue()
    void listener(incoming, outgoing)
  })
  return server
}

function setLimits(server: Server, limits: Limits): void {
  server.maxHeadersCount = limits.headers
  server.maxConnections = limits.connections
  server.setTimeout(limits.idleMs)
}

/** A request that is HTTP but makes no URL. */
function wrongRequest(app: App, error: unknown): Response {
  if (!(error instanceof Error && error.name === 'RequestError')) app.core.log.error(error)
  app.core.metrics.requests.add(1, { route: 'other', status: 400 })
  const message = 'expected a request with a valid path and Host'
  return new ApiError({ status: 400, message, code: 'invalid_request' }).response()
}

const statusOf: Readonly<Record<string, string>> = {
  HPE_HEADER_OVERFLOW: '431 Request Header Fields Too Large',
  ERR_HTTP_REQUEST_TIMEOUT: '408 Request Timeout',
}

/** What is no HTTP at all. */
function refuseBytes(error: NodeJS.ErrnoException, socket: Duplex): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy()
    return
  }
  const status = statusOf[error.code ?? ''] ?? '400 Bad Request'
  const { body } = {
    body: new ApiError({ status: 400, message: status.slice(4), code: 'invalid_request' }).body(),
  }
  const text = JSON.stringify(body)
  socket.end(
    `HTTP/1.1 ${status}\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(text)}\r\nConnection: close\r\n\r\n${text}`,
  )
}

async function drain(server: Server, { core }: App, graceMs: number): Promise<void> {
  core.draining = true
  const closed = new Promise<void>((resolve) => server.close(() => resolve()))
  server.closeIdleConnections()
  const running = () => Promise.all([...core.jobs.values()].map((job) => job.done))
  const timer = setTimeout(() => core.stopAll('shutdown'), graceMs)
  await running()
  clearTimeout(timer)
  // What was said last has to reach its readers; those who do not read have to go.
  const idle = setInterval(() => server.closeIdleConnections(), 20)
  const force = setTimeout(() => server.closeAllConnections(), 1000)
  await closed
  clearInterval(idle)
  clearTimeout(force)
  core.metrics.stop()
}
