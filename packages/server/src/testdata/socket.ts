// Raw sockets against a listening server: what no HTTP client would send, and clients that behave badly.
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Engine } from '@hadal/engine'
import { type ServeOptions, type ServerHandle, serve } from '../serve.ts'
import { type Loose, parseEvents } from './client.ts'
import { type Echo, type EchoOptions, echoModel } from './echo.ts'

export interface Live extends AsyncDisposable {
  readonly model: Echo
  readonly handle: ServerHandle
  readonly url: string
  readonly port: number
  readonly log: Loose[]
}

export async function live(
  options: Partial<ServeOptions> = {},
  echo: EchoOptions = {},
): Promise<Live> {
  const model = echoModel(echo)
  const log: Loose[] = []
  const writeLog = (line: string) => log.push(JSON.parse(line))
  const handle = await serve({ model, port: 0, writeLog, ...options })
  return {
    ...{ model, handle, log, url: handle.url, port: handle.port },
    async [Symbol.asyncDispose]() {
      await handle.drain(0)
      await model.engine.dispose()
    },
  }
}

export function chatBytes(content: string, more: object = {}, headers = ''): string {
  const body = JSON.stringify({ messages: [{ role: 'user', content }], ...more })
  return `POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n${headers}Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`
}

export async function open(port: number): Promise<Socket> {
  const socket = connect(port, '127.0.0.1')
  await once(socket, 'connect')
  socket.on('error', () => {})
  return socket
}

/** Sends bytes and gives all that comes until the other side closes or `ms` pass. */
export async function exchange(port: number, bytes: string | Buffer, ms = 20_000): Promise<string> {
  const socket = await open(port)
  let text = ''
  socket.on('data', (data) => {
    text += data
  })
  socket.write(bytes)
  const closed = new Promise((resolve) => socket.once('close', resolve))
  await Promise.race([closed, sleep(ms)])
  socket.destroy()
  return text
}

export const statusOf = (text: string): number => Number(/^HTTP\/1\.1 (\d+)/.exec(text)?.[1] ?? 0)

export async function post(url: string, body: object, signal?: AbortSignal): Promise<Response> {
  return fetch(`${url}/v1/chat/completions`, {
    ...{ method: 'POST', headers: { 'content-type': 'application/json' } },
    body: JSON.stringify(body),
    ...(signal && { signal }),
  })
}

export async function ask(url: string, content: string, more: object = {}): Promise<Loose> {
  const response = await post(url, { messages: [{ role: 'user', content }], ...more })
  return {
    status: response.status,
    headers: response.headers,
    ...((await response.json()) as object),
  }
}

export async function events(response: Response): Promise<Loose[]> {
  return [...parseEvents(await response.text()).chunks]
}

/** Waits until a condition holds. */
export async function until(condition: () => boolean, ms = 20_000): Promise<void> {
  const end = performance.now() + ms
  while (!condition()) {
    if (performance.now() > end) throw new Error(`not within ${ms} ms: ${condition}`)
    await sleep(2)
  }
}

export const isIdle = (engine: Engine): boolean =>
  engine.stats.running === 0 &&
  engine.stats.waiting === 0 &&
  engine.stats.blocksFree === engine.stats.blocksTotal

/** The server is alive when it is healthy and answers. */
export async function alive({ url, model }: Live): Promise<void> {
  const health = await fetch(`${url}/health`)
  if (health.status !== 200) throw new Error(`health: ${health.status}`)
  await health.arrayBuffer()
  const { status, choices } = await ask(url, 'still here')
  if (status !== 200 || choices[0].message.content !== 'still here')
    throw new Error(`answer: ${status} ${JSON.stringify(choices)}`)
  await until(() => isIdle(model.engine))
}
