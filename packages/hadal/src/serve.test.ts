// `hadal serve` as people start it, with the embedded model behind it.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, afterEach, describe, expect, it } from 'vitest'

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../../..')
const cli = path.join(root, 'packages/hadal/dist/cli.js')
const work = mkdtempSync(path.join(tmpdir(), 'hadal-serve-'))
afterAll(() => rmSync(work, { recursive: true, force: true }))

// biome-ignore lint/suspicious/noExplicitAny: bodies are checked by what follows
type Loose = any

interface Running {
  readonly child: ChildProcess
  readonly url: string
  readonly exit: Promise<number | null>
  out(): string
  err(): string
}

const children: ChildProcess[] = []
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL')
})

async function until(condition: () => boolean): Promise<void> {
  const end = performance.now() + 30_000
  while (!condition()) {
    if (performance.now() > end) throw new Error('not within 30 s')
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

async function serve(args: string[] = [], env: Record<string, string> = {}): Promise<Running> {
  const child = spawn(process.execPath, [cli, 'serve', '--port', '0', ...args], {
    env: { ...process.env, NO_COLOR: '1', ...env },
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
  await until(() => out.includes('openapi.json') || child.exitCode !== null)
  const url = /at (http:\S+)/.exec(out)?.[1] ?? ''
  return { child, url, exit, out: () => out, err: () => err }
}

const ready = (server: Running) => until(() => server.err().includes('ready'))

const post = (url: string, body: object, headers: Record<string, string> = {}) =>
  fetch(`${url}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
  })
const question = { messages: [{ role: 'user', content: 'How many r are in strawberry?' }] }

describe('hadal serve', () => {
  it('says where it is, answers with thinking apart, and ends cleanly', async () => {
    const server = await serve()
    expect(server.out()).toContain(`hadal-nano at ${server.url}`)
    expect(server.out()).toContain(`curl ${server.url}/v1/chat/completions`)
    expect([200, 503]).toContain((await fetch(`${server.url}/health`)).status)
    await ready(server)
    const response = await post(server.url, { ...question, temperature: 0 })
    const body = (await response.json()) as Loose
    expect(body.choices[0].message).toMatchObject({
      content: '3',
      reasoning_content: expect.stringContaining('count r'),
    })
    expect(body.usage.prompt_tokens).toBe(22)
    expect(body.usage.completion_tokens_details.reasoning_tokens).toBeGreaterThan(20)
    expect(body.hadal.tokens_per_second).toBeGreaterThan(1)
    const chat = (await (
      await post(server.url, { ...question, model: 'deepseek-chat' })
    ).json()) as Loose
    expect(chat.choices[0].message).not.toHaveProperty('reasoning_content')
    const long = await post(server.url, {
      messages: [{ role: 'user', content: 'add 1 '.repeat(700) }],
    })
    expect(((await long.json()) as Loose).error.message).toMatch(/fewer than 512 ids.*got \d{3,}/)
    const tools = await post(server.url, {
      ...question,
      tools: [{ type: 'function', function: { name: 'f' } }],
    })
    expect(((await tools.json()) as Loose).error).toMatchObject({ param: 'tools' })
    server.child.kill('SIGINT')
    expect(await server.exit).toBe(0)
    expect(server.err()).not.toContain('strawberry')
  })

  it('goes on from a beginning, with the same answer', async () => {
    const server = await serve()
    await ready(server)
    const whole = (await (await post(server.url, { ...question, temperature: 0 })).json()) as Loose
    const thought = whole.choices[0].message.reasoning_content as string
    const half = thought.slice(0, thought.indexOf('\n'))
    const begun = { role: 'assistant', content: '', reasoning_content: half, prefix: true }
    const more = await post(server.url, { messages: [...question.messages, begun], temperature: 0 })
    const { message } = ((await more.json()) as Loose).choices[0]
    expect(half + message.reasoning_content).toBe(thought)
    expect(message.content).toBe('3')
  })

  it('lets a running answer end when it is told to', async () => {
    const server = await serve()
    await ready(server)
    const response = await post(server.url, { ...question, n: 8, stream: true })
    server.child.kill('SIGTERM')
    const text = await response.text()
    expect(text).toContain('[DONE]')
    expect(text.match(/"finish_reason":"(stop|length)"/g)).toHaveLength(8)
    expect(await server.exit).toBe(0)
  })

  it('ends at once when told twice', async () => {
    const server = await serve()
    await ready(server)
    const body = { ...question, n: 16, temperature: 2, stream: true, logit_bias: { 1: -100 } }
    const response = await post(server.url, body)
    server.child.kill('SIGTERM')
    await until(() => server.err().includes('once more'))
    server.child.kill('SIGTERM')
    expect([0, 143]).toContain(await server.exit)
    await response.text().catch(() => '')
  })

  it('takes keys, prices and limits from flags, files and the environment', async () => {
    const keyFile = path.join(work, 'keys')
    writeFileSync(keyFile, 'from-file\n\n')
    const priceFile = path.join(work, 'prices.json')
    const prices = { currency: 'EUR', input_cache_hit: 0, input_cache_miss: 1, output: 1 }
    writeFileSync(priceFile, JSON.stringify(prices))
    const args = ['--api-key', 'one', '--api-key=two', '--prices', priceFile, '--name', 'my-model']
    const env = { HADAL_API_KEY_FILE: keyFile, HADAL_LOG: 'off', HADAL_CORS: 'http://a.example' }
    const server = await serve([...args, '--parallel', '2', '--max-queue', '0'], env)
    await ready(server)
    expect((await post(server.url, question)).status).toBe(401)
    for (const key of ['one', 'two', 'from-file']) {
      const response = await post(server.url, question, { authorization: `Bearer ${key}` })
      const body = (await response.json()) as Loose
      expect(body.model).toBe('my-model')
      expect(body.hadal.cost).toEqual({ amount: body.usage.total_tokens / 1e6, currency: 'EUR' })
    }
    const full = await post(server.url, { ...question, n: 3 }, { authorization: 'Bearer one' })
    expect(full.status).toBe(429)
    const headers = { origin: 'http://a.example', authorization: 'Bearer one' }
    const models = await fetch(`${server.url}/v1/models`, { headers })
    expect(models.headers.get('access-control-allow-origin')).toBe('http://a.example')
    expect(server.out()).toContain('Authorization: Bearer YOUR_KEY')
    expect(server.err().trim()).toBe('ready')
  })

  it('keeps the prefix cache in a file from SIGTERM to the next start, a part for each key', async () => {
    const file = path.join(work, 'cache.bin')
    const args = ['--prefix-cache', file, '--api-key', 'one', '--api-key', 'two']
    const long = { messages: [{ role: 'user', content: 'What is 47 * 36? '.repeat(12) }] }
    const ask = async (server: Running, key: string) => {
      const body = { ...long, temperature: 0, max_tokens: 40 }
      const response = await post(server.url, body, { authorization: `Bearer ${key}` })
      const { usage, choices } = (await response.json()) as Loose
      return { hits: usage.prompt_cache_hit_tokens, message: choices[0].message }
    }
    const first = await serve(args)
    await ready(first)
    const cold = await ask(first, 'one')
    expect(cold.hits).toBe(0)
    expect(existsSync(file)).toBe(false)
    first.child.kill('SIGTERM')
    expect(await first.exit).toBe(0)
    expect(statSync(file).mode & 0o777).toBe(0o600)
    const second = await serve([], {
      ...{ HADAL_PREFIX_CACHE: file, HADAL_API_KEY: 'one,two', HADAL_QUEUE_TIMEOUT: '60' },
    })
    await ready(second)
    const warm = await ask(second, 'one')
    expect(warm.hits).toBeGreaterThan(64)
    expect(warm.message).toEqual(cold.message)
    expect((await ask(second, 'two')).hits).toBe(0)
  })

  it('lists its flags', () => {
    const { stdout } = spawnSync(process.execPath, [cli, 'serve', '--help'], { encoding: 'utf8' })
    for (const flag of ['queue-timeout', 'prefix-cache', 'max-queue', 'api-key', 'grace'])
      expect(stdout).toContain(`--${flag}`)
  })

  it('refuses what waits too long, and says when to come back', async () => {
    const server = await serve(['--queue-timeout', '0.05', '--parallel', '1'])
    await ready(server)
    const endless = { ...question, temperature: 2, logit_bias: { 1: -100 } }
    // Its headers come when it is in line.
    const busy = await post(server.url, { ...endless, max_tokens: 400, stream: true })
    const late = await post(server.url, question)
    expect(late.status).toBe(503)
    expect(((await late.json()) as Loose).error.code).toBe('overloaded')
    expect(Number(late.headers.get('retry-after'))).toBeGreaterThan(0)
    expect(await busy.text()).toContain('"finish_reason":"length"')
  })

  it.each([
    [['--host', '0.0.0.0'], 2, /anybody could use it/],
    [['--log', 'all'], 2, /--log: expected off, requests or prompts/],
    [['--prices', '/nowhere'], 2, /--prices: ENOENT/],
    [['--port', 'abc'], 2, /--port: expected a number/],
    [['/no/such/folder'], 1, /no such|cannot|ENOENT/],
  ])('%j fails in one line', (args, code, message) => {
    const { stderr, status } = spawnSync(process.execPath, [cli, 'serve', '--port', '0', ...args], {
      encoding: 'utf8',
      timeout: 30_000,
      env: { ...process.env, NO_COLOR: '1' },
    })
    expect(stderr).toMatch(message)
    expect(stderr.trim().split('\n')).toHaveLength(1)
    expect(status).toBe(code)
  })
})
