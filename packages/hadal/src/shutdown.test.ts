// H29: SIGTERM in every phase of a server's life. It ends with code 0, lets answers that are at work end, takes nothing
// new, and leaves nobody waiting.
import { type ChildProcess, spawn } from 'node:child_process'
import { connect, type Socket } from 'node:net'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { afterEach, describe, expect, it } from 'vitest'

const cli = path.join(path.dirname(fileURLToPath(import.meta.url)), '../dist/cli.js')
// The scalar kernels on one thread: slow enough to be met in every phase.
const slow = ['--precision', 'reference', '--threads', '1']

// biome-ignore lint/suspicious/noExplicitAny: bodies are checked by what follows
type Loose = any

interface Running {
  readonly child: ChildProcess
  readonly url: string
  readonly exit: Promise<number | null>
  err(): string
}

const children: ChildProcess[] = []
const sockets: Socket[] = []
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL')
  for (const socket of sockets.splice(0)) socket.destroy()
})

async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  const end = performance.now() + 30_000
  while (!(await condition())) {
    if (performance.now() > end) throw new Error(`not within 30 s: ${condition}`)
    await sleep(2)
  }
}

async function serve(args: readonly string[] = [], ready = true): Promise<Running> {
  const child = spawn(process.execPath, [cli, 'serve', '--port', '0', ...slow, ...args], {
    env: { ...process.env, NO_COLOR: '1', HADAL_LOG: 'off' },
  })
  children.push(child)
  let [out, err] = ['', '']
  child.stdout?.on('data', (data) => {
    out += data
  })
  child.stderr?.on('data', (data) => {
    err += data
  })
  const exit = new Promise<number | null>((resolve) => child.on('close', resolve))
  await until(() => out.includes('openapi.json') && (!ready || err.includes('ready')))
  return { child, url: /at (http:\S+)/.exec(out)?.[1] ?? '', exit, err: () => err }
}

const body = (content: string, more: object = {}) =>
  JSON.stringify({ messages: [{ role: 'user', content }], temperature: 0, ...more })

const post = (url: string, content: string, more: object = {}) =>
  fetch(`${url}/v1/chat/completions`, {
    ...{ method: 'POST', headers: { 'content-type': 'application/json' } },
    body: body(content, more),
  })

async function metric(url: string, name: string): Promise<number> {
  const text = await (await fetch(`${url}/metrics`)).text()
  return Number(new RegExp(`^hadal_${name} (\\S+)$`, 'm').exec(text)?.[1])
}

async function open(url: string): Promise<Socket> {
  const socket = connect(Number(new URL(url).port), '127.0.0.1')
  sockets.push(socket)
  socket.on('error', () => {})
  await new Promise((resolve) => socket.once('connect', resolve))
  return socket
}

const strawberry = 'How many r are in strawberry?'
const whole = async (asked: Promise<Response>): Promise<Loose> => (await asked).json()
const term = ({ child }: Running) => void child.kill('SIGTERM')

describe('SIGTERM', () => {
  it('while the model is loaded', async () => {
    const server = await serve([], false)
    term(server)
    expect(await server.exit).toBe(0)
  })

  it('while nothing happens, with connections that wait', async () => {
    const server = await serve()
    for (let i = 0; i < 3; i++) await open(server.url)
    term(server)
    expect(await server.exit).toBe(0)
    await expect(fetch(`${server.url}/health`)).rejects.toThrow()
  })

  it('while a body is on its way: the request is refused, or never begun', async () => {
    const server = await serve()
    const socket = await open(server.url)
    const text = body(strawberry)
    let got = ''
    socket.on('data', (data) => {
      got += data
    })
    socket.write(
      `POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: ${text.length}\r\n\r\n${text.slice(0, 20)}`,
    )
    // The server has the head before it hears of the end.
    await until(async () => (await fetch(`${server.url}/health`)).status === 200)
    term(server)
    await until(() => server.err().includes('ending'))
    socket.write(text.slice(20))
    expect(await server.exit).toBe(0)
    expect(got).toMatch(/^(HTTP\/1\.1 503 .*"shutting_down".*)?$/s)
  })

  it('while an answer waits in line: it gets its turn', async () => {
    const server = await serve(['--parallel', '1'])
    const [one, two] = [whole(post(server.url, strawberry)), whole(post(server.url, strawberry))]
    await until(async () => (await metric(server.url, 'requests_waiting')) === 1)
    term(server)
    for (const { choices } of await Promise.all([one, two])) {
      expect(choices[0].message.content).toBe('3')
      expect(choices[0].finish_reason).toBe('stop')
    }
    expect(await server.exit).toBe(0)
  })

  it('while a prompt is read', async () => {
    const server = await serve()
    const asked = whole(post(server.url, 'What is 47 * 36? '.repeat(8), { max_tokens: 4 }))
    await until(async () => (await metric(server.url, 'requests_running')) === 1)
    term(server)
    const { choices } = await asked
    expect(choices[0].finish_reason).toBe('length')
    expect(await server.exit).toBe(0)
  })

  it.each(['reasoning_content', 'content'])('while %s is streamed', async (field) => {
    const server = await serve()
    const response = await post(server.url, strawberry, { stream: true })
    const reader = (response.body as ReadableStream<Uint8Array>).getReader()
    let text = ''
    let told = false
    for (let next = await reader.read(); !next.done; next = await reader.read()) {
      text += Buffer.from(next.value).toString()
      if (told || !text.includes(`"${field}":"`)) continue
      told = true
      term(server)
    }
    expect(told).toBe(true)
    expect(text).toContain('"finish_reason":"stop"')
    expect(text.trimEnd().endsWith('[DONE]')).toBe(true)
    expect(await server.exit).toBe(0)
  })

  it('while nobody reads: the answer is cut off after its grace', async () => {
    const server = await serve(['--grace', '0.2'])
    const socket = await open(server.url)
    socket.pause()
    const text = body(strawberry, { stream: true, n: 4, max_tokens: 400, temperature: 2 })
    socket.write(
      `POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: ${text.length}\r\n\r\n${text}`,
    )
    await until(async () => (await metric(server.url, 'tokens_generated_total')) > 0)
    term(server)
    expect(await server.exit).toBe(0)
  })

  it('twice: at once', async () => {
    const server = await serve()
    const endless = { n: 16, temperature: 2, logit_bias: { 1: -100 }, stream: true }
    const response = await post(server.url, strawberry, endless)
    term(server)
    await until(() => server.err().includes('once more'))
    term(server)
    expect([0, 143]).toContain(await server.exit)
    await response.text().catch(() => {})
  })
})
