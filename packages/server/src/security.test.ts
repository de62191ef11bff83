// Keys, Host, Origin, CORS, the page and its policy, the log.
import { createHash } from 'node:crypto'
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { hostName, isOwnHost } from './security.ts'
import { isLoopback, serve } from './serve.ts'
import { type Loose, testServer, user } from './testdata/client.ts'
import { echoModel } from './testdata/echo.ts'

const chat = '/v1/chat/completions'

describe('keys', () => {
  const server = testServer({ apiKeys: ['first key'.replace(' ', '-'), 'second'] })

  it('open everything but health', async () => {
    const { body } = await server.get('/openapi.json', { authorization: 'Bearer second' })
    for (const [route, methods] of Object.entries(body.paths))
      for (const method of Object.keys(methods as object)) {
        const response = await server.fetch(route.replace('{id}', 'x'), {
          method: method.toUpperCase(),
        })
        expect(response.status, route).toBe(route === '/health' ? 200 : 401)
      }
    for (const odd of [
      '//v1/models',
      '/v1/../metrics',
      '/%6detrics',
      '/v1/models/',
      '/nothing',
      '/health/',
    ])
      expect((await server.fetch(odd)).status, odd).toBe(401)
  })

  it.each([
    [{ authorization: 'Bearer first-key' }, 200],
    [{ authorization: 'bearer  second ' }, 200],
    [{ 'x-api-key': 'second' }, 200],
    [{ 'api-key': 'second' }, 200],
    [{ authorization: 'Bearer third' }, 401],
    [{ authorization: 'Bearer' }, 401],
    [{ authorization: 'Basic c2Vjb25k' }, 401],
    [{ authorization: 'Bearer secon' }, 401],
    [{ authorization: 'Bearer second2' }, 401],
    [{ authorization: 'Bearer first-key second' }, 401],
    [{}, 401],
  ])('%j: %i', async (headers, status) => {
    const reply = await server.get('/v1/models', headers)
    expect(reply.status).toBe(status)
    if (status === 401) {
      expect(reply.body.error.type).toBe('authentication_error')
      expect(reply.headers.get('www-authenticate')).toBe('Bearer')
    }
  })
})

describe('the prefix cache', () => {
  const prompt = 'the same beginning '.repeat(20)
  const hits = async (server: ReturnType<typeof testServer>, path: string, key?: string) => {
    const asked = path === chat ? { messages: [user(prompt)] } : { prompt }
    const headers = key === undefined ? {} : { authorization: `Bearer ${key}` }
    const { status, body } = await server.post(path, { ...asked, max_tokens: 1 }, headers)
    expect(status).toBe(200)
    return body.usage.prompt_cache_hit_tokens
  }

  it.each([chat, '/v1/completions'])('is one for each key: %s', async (path) => {
    const server = testServer({ apiKeys: ['one', 'two'] })
    expect(await hits(server, path, 'one')).toBe(0)
    expect(await hits(server, path, 'two')).toBe(0)
    expect(await hits(server, path, 'one')).toBeGreaterThan(256)
    expect(await hits(server, path, 'two')).toBeGreaterThan(256)
  })

  it('is everybody’s without keys', async () => {
    const server = testServer()
    expect(await hits(server, chat)).toBe(0)
    expect(await hits(server, chat, 'anything')).toBeGreaterThan(256)
  })
})

describe('Host', () => {
  it.each([
    ['localhost', true],
    ['localhost:8000', true],
    ['LOCALHOST.', true],
    ['app.localhost', true],
    ['127.0.0.1:9', true],
    ['[::1]:8000', true],
    ['192.168.1.7', true],
    ['evil.example', false],
    ['127.0.0.1.evil', false],
    ['localhost.evil.example', false],
    ['notlocalhost', false],
    ['', false],
    ['[evil]', false],
    ['a b', false],
    ['2130706433.evil', false],
    ['box.lan', false],
  ])('%s: %s', async (host, own) => {
    expect(isOwnHost(host, [])).toBe(own)
  })

  it('knows the names it was given', () => {
    expect(isOwnHost('box.lan:1', ['box.lan'])).toBe(true)
    expect(isOwnHost('box.lan', ['*'])).toBe(true)
    expect(hostName('[::1]')).toBe('::1')
  })
})

describe('Origin', () => {
  const ask = (server: ReturnType<typeof testServer>, origin: string, more = {}) =>
    server.fetch('/v1/models', { headers: { origin, host: 'localhost', ...more } })

  it('is our own page or none', async () => {
    const server = testServer()
    expect((await ask(server, 'http://localhost')).status).toBe(200)
    for (const origin of [
      'http://evil.example',
      'null',
      'http://localhost:1',
      'http://localhost.evil.example',
    ]) {
      const response = await ask(server, origin)
      expect(response.status).toBe(403)
      expect(response.headers.get('access-control-allow-origin')).toBeNull()
    }
    const preflight = await server.fetch(chat, {
      method: 'OPTIONS',
      headers: { origin: 'http://evil.example' },
    })
    expect(preflight.status).toBe(403)
  })

  it('may be another when the operator says so', async () => {
    const server = testServer({ cors: ['http://app.example'], apiKeys: ['k'] })
    const preflight = await server.fetch(chat, {
      method: 'OPTIONS',
      headers: { origin: 'http://app.example' },
    })
    expect(preflight.status).toBe(204)
    expect(preflight.headers.get('access-control-allow-origin')).toBe('http://app.example')
    expect(preflight.headers.get('access-control-allow-headers')).toContain('authorization')
    expect(preflight.headers.get('access-control-allow-credentials')).toBeNull()
    // A refusal must be readable too.
    const refused = await ask(server, 'http://app.example')
    expect(refused.status).toBe(401)
    expect(refused.headers.get('access-control-allow-origin')).toBe('http://app.example')
    const answered = await ask(server, 'http://app.example', { authorization: 'Bearer k' })
    expect(answered.headers.get('access-control-allow-origin')).toBe('http://app.example')
    expect((await ask(server, 'http://other.example')).status).toBe(403)
    expect((await ask(testServer({ cors: ['*'] }), 'null')).status).toBe(200)
  })
})

describe('listening', () => {
  it('beyond this machine wants a key or a word', async () => {
    const model = echoModel()
    await expect(serve({ model, host: '0.0.0.0', port: 0 })).rejects.toThrow(
      /expected this machine/,
    )
    const open = await serve({ model, host: '0.0.0.0', port: 0, public: true, writeLog: () => {} })
    await open.drain(0)
    expect(['127.0.0.1', '127.9.9.9', '::1', 'localhost'].every(isLoopback)).toBe(true)
    expect(['0.0.0.0', '::', '10.0.0.1', '127.evil'].some(isLoopback)).toBe(false)
  })

  it('says when the port is taken', async () => {
    const first = await serve({ model: echoModel(), port: 0, writeLog: () => {} })
    await expect(serve({ model: echoModel(), port: first.port })).rejects.toThrow(/EADDRINUSE/)
    await first.drain(0)
  })
})

describe('the page', () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'hadal-page-'))
  afterAll(() => rmSync(folder, { recursive: true }))
  const script = 'document.title = "hi"'
  mkdirSync(path.join(folder, 'assets'))
  writeFileSync(
    path.join(folder, 'index.html'),
    `<script type="module">${script}</script><script src="/a.js"></script>`,
  )
  writeFileSync(path.join(folder, 'assets', 'app-1a2b3c4d.js'), 'x')
  writeFileSync(path.join(folder, '.secret'), 'x')
  symlinkSync('/etc/passwd', path.join(folder, 'passwd'))
  const server = testServer({ page: folder, apiKeys: ['k'] })

  it('is open, strict, and cached', async () => {
    const reply = await server.get('/')
    expect(reply.status).toBe(200)
    expect(reply.body).toContain('<script')
    const hash = createHash('sha256').update(script).digest('base64')
    const csp = reply.headers.get('content-security-policy')
    expect(csp).toContain(`script-src 'self' 'sha256-${hash}';`)
    for (const rule of [
      "default-src 'self'",
      "connect-src 'self'",
      "frame-ancestors 'none'",
      "object-src 'none'",
    ])
      expect(csp).toContain(rule)
    expect(reply.headers.get('x-content-type-options')).toBe('nosniff')
    expect(reply.headers.get('referrer-policy')).toBe('no-referrer')
    const etag = reply.headers.get('etag') as string
    const again = await server.fetch('/', { headers: { 'if-none-match': etag } })
    expect(again.status).toBe(304)
    const asset = await server.get('/assets/app-1a2b3c4d.js')
    expect(asset.headers.get('cache-control')).toContain('immutable')
    expect(asset.headers.get('content-type')).toContain('text/javascript')
    const head = await server.fetch('/', { method: 'HEAD' })
    expect([head.status, await head.text()]).toEqual([200, ''])
  })

  it('gives nothing else away', async () => {
    const key = { authorization: 'Bearer k' }
    for (const file of [
      '/.secret',
      '/passwd',
      '/../index.html',
      '/assets',
      '/assets/..%2findex.html',
      '/%2e%2e/%2e%2e/etc/passwd',
    ]) {
      const { status, body } = await server.get(file, key)
      if (status === 200) expect(body).toContain('<script')
      else expect(status).toBe(404)
      expect(String(body)).not.toContain('root:')
    }
    expect((await server.get('/v1/models')).status).toBe(401)
    expect((await server.fetch('/', { method: 'POST' })).status).toBe(404)
  })

  it('may bring its own headers', async () => {
    const headers = (file: string) => ({ 'Content-Security-Policy': `for ${file}` })
    const own = testServer({ page: { folder, headers } })
    const { headers: got } = await own.get('/')
    expect(got.get('content-security-policy')).toBe('for index.html')
    expect(got.get('content-type')).toContain('text/html')
  })

  it('must be one', () => {
    expect(() => testServer({ page: path.join(folder, 'assets') })).toThrow(
      /expected an index.html/,
    )
  })
})

describe('the log', () => {
  const said = 'my secret question'

  it('has counts and no words', async () => {
    const server = testServer()
    await server.post(chat, { messages: [user(said)] })
    await server.post(chat, { messages: [user(said)], model: 'evil\n\u001b[31m{"event":"x"}' })
    await expect.poll(() => server.log.length).toBe(2)
    const lines = server.log.filter(({ route }) => route === chat)
    expect(lines).toHaveLength(2)
    expect(lines[0]).toMatchObject({
      ...{ event: 'request', method: 'POST', route: chat, status: 200, end: 'stop' },
      ...{ completion_tokens: said.length, ms: expect.any(Number), job: expect.any(String) },
    })
    expect(JSON.stringify(server.log)).not.toContain('secret')
    expect(JSON.stringify(server.log)).not.toContain('evil')
  })

  it('has words when the operator wants them, in plain ASCII', async () => {
    const lines: string[] = []
    const server = testServer({ logLevel: 'prompts', writeLog: (line) => lines.push(line) })
    await server.post(chat, { messages: [user('a\n\u001b[31m\u202e中')] })
    await expect.poll(() => lines.length).toBe(1)
    const line = lines.find((text) => text.includes('prompt"')) as string
    expect(line).toMatch(/^[\x20-\x7e]+$/)
    expect((JSON.parse(line) as Loose).prompt[0].content).toBe('a\n\u001b[31m\u202e中')
  })

  it('costs nothing when it cannot be written (H39)', async () => {
    const writeLog = () => {
      throw new Error('ENOSPC: no space left on device, write')
    }
    const server = testServer({ writeLog }, { poison: 'burnt' })
    expect((await server.post(chat, { messages: [user(said)] })).status).toBe(200)
    expect((await server.post(chat, { messages: [user('burnt')] })).status).toBe(500)
    expect((await server.stream(chat, { messages: [user(said)] })).done).toBe(true)
  })

  it('can be off', async () => {
    const server = testServer({ logLevel: 'off' })
    await server.post(chat, { messages: [user(said)] })
    expect(server.log).toEqual([])
  })
})
