// Requests meant to harm: the server answers each with a refusal or an answer, and is alive after it.
// Numbers are those of docs/hostile-requests.md, which says where the others lie.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { watchCpu } from '@hadal/testing'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Loose, user } from './testdata/client.ts'
import {
  alive,
  ask,
  chatBytes,
  exchange,
  isIdle,
  type Live,
  live,
  open,
  post,
  statusOf,
  until,
} from './testdata/socket.ts'

const limits = {
  commentMs: 500,
  headersMs: 700,
  bodyMs: 1200,
  idleMs: 2000,
  keepAliveMs: 1500,
  bodyBytes: 1 << 20,
}
let server: Live
beforeAll(async () => {
  server = await live({ limits })
})
afterAll(() => server[Symbol.asyncDispose]())

const messages = [user('x')]
const send = (body: object) => post(server.url, body)

async function fine(response: Response): Promise<number> {
  const body = (await response.json()) as Loose
  expect(body.error?.message ?? body.choices?.[0]).toBeTruthy()
  expect(JSON.stringify(body).length).toBeLessThan(20_000)
  expect(response.status).toBeLessThan(500)
  return response.status
}

describe('values', () => {
  const numbers = [
    -1,
    0,
    1.5,
    2 ** 31,
    2 ** 53 + 1,
    1e308,
    '1',
    'NaN',
    null,
    true,
    [],
    {},
    '9'.repeat(400),
  ]
  const fields = [
    ...['max_tokens', 'max_completion_tokens', 'top_k', 'seed', 'top_logprobs', 'n', 'temperature'],
    ...['top_p', 'min_p', 'presence_penalty', 'frequency_penalty', 'repetition_penalty', 'stop'],
    ...['max_reasoning_tokens', 'priority', 'stream', 'logprobs', 'logit_bias', 'tools', 'user'],
    ...['model', 'messages', 'response_format', 'thinking', 'reasoning_effort', 'stream_options'],
  ]
  it.each(fields)('H01, H10: %s of every kind', async (field) => {
    for (const value of numbers) {
      const body = { messages, max_tokens: 2, [field]: value, ...(field === 'stream' && { n: 99 }) }
      if (field !== 'stream' || value !== true) await fine(await send(body))
    }
    await alive(server)
  })

  it('H10: ids of biases, lengths and numbers of stops', async () => {
    for (const bias of [
      { '-1': 1 },
      { 999999999: 1 },
      { 1.5: 1 },
      { '': 1 },
      { __proto__x: 1 },
      { 1: '1' },
    ])
      expect(await fine(await send({ messages, logit_bias: bias }))).toBe(400)
    for (const stop of [Array(1e5).fill('x'), ['y'.repeat(5e5)], [''], [5], [null]])
      expect(await fine(await send({ messages, stop }))).toBe(400)
    await alive(server)
  })

  const deep = (levels: number) => {
    let schema: Loose = { type: 'string' }
    for (let i = 0; i < levels; i++) schema = { type: 'object', properties: { a: schema } }
    return schema
  }
  const schemas: Loose[] = [
    { type: 123 },
    'hiccup',
    { $ref: '#' },
    { $ref: 'http://169.254.169.254/' },
    { type: 'string', pattern: '^+a' },
    { type: 'string', pattern: '('.repeat(60_000) },
    { type: 'string', pattern: '(a+)+$' },
    { type: 'string', pattern: 'a{1,100000}' },
    { enum: Array.from({ length: 20_000 }, (_, i) => `v${i}`) },
    { $defs: { a: { $ref: '#/$defs/a' } }, $ref: '#/$defs/a' },
    deep(55),
  ]
  it('H02–H09: schemas, patterns, depth', async () => {
    for (const schema of schemas) {
      await fine(
        await send({
          messages,
          max_tokens: 2,
          response_format: { type: 'json_schema', json_schema: { name: 'x', schema } },
        }),
      )
      await fine(
        await send({
          messages,
          max_tokens: 2,
          tools: [{ type: 'function', function: { name: 'f', parameters: schema } }],
        }),
      )
    }
    const levels = `{"messages":[{"role":"user","content":"x"}],"tools":[{"type":"function","function":{"name":"f","parameters":${'{"a":'.repeat(3000)}1${'}'.repeat(3000)}}}]}`
    const headers = { 'content-type': 'application/json' }
    expect(
      await fine(
        await fetch(`${server.url}/v1/chat/completions`, { method: 'POST', headers, body: levels }),
      ),
    ).toBe(400)
    for (const pattern of ['^+a', '^{2}a', '('.repeat(60_000), '['])
      await fine(await send({ messages, response_format: { type: 'regex', pattern } }))
    await alive(server)
  })

  it('H05: answers full of brackets, quotes and markers', async () => {
    const pieces = [
      ...['[', '{', '"', '\\', '<', '`'],
      ...['[[call]]', '[[calls]]', '[[sep]]', '[[think]]', '[[/think]]'],
    ]
    const script = (piece: string) =>
      piece.startsWith('[[')
        ? piece.repeat(300)
        : `[[calls]][[call]]function[[sep]][[${piece}*1000]]`
    await Promise.all(
      pieces.map(async (piece) => fine(await send({ messages: [user(script(piece))] }))),
    )
    await alive(server)
  })

  it('H11, H18, H31, H40: names', async () => {
    for (const name of [
      '../x',
      'sha256:../../',
      'a\u0000',
      '/etc/passwd',
      '\n{"event":"fake"}',
      '\u001b[2J',
      '\u202e',
      '__proto__',
      'constructor',
      'toString',
    ])
      expect(await fine(await send({ messages, model: name }))).toBe(404)
    for (let i = 0; i < 100; i++) await ask(server.url, 'x', { model: `random-${i}` })
    const metrics = await (await fetch(`${server.url}/metrics`)).text()
    expect(metrics).not.toContain('random')
    expect(metrics.match(/hadal_requests_total\{/g)?.length).toBeLessThan(10)
    expect(server.log.every(({ event }) => event === 'request')).toBe(true)
    await alive(server)
  })

  it('H12, H14, H16: templates, emptiness, other media', async () => {
    const bodies: Loose[] = [
      ...['{{ x }}', 5].map((chat_template) => ({ messages, chat_template })),
      ...[
        '',
        null,
        5,
        [],
        [{ type: 'input_audio' }],
        [{ type: 'image_url', image_url: { url: 'file:///etc/passwd' } }],
        [{}],
        [null],
        ['x'],
      ].map((content) => ({ messages: [{ role: 'user', content }], max_tokens: 1 })),
      ...[
        [],
        {},
        'x',
        null,
        [[]],
        [null],
        [{ role: 'user' }],
        [{ content: 'x' }],
        { role: 'user' },
      ].map((list) => ({ messages: list })),
    ]
    for (const body of bodies) await fine(await send(body))
    await alive(server)
  })

  it('H19, H22, H35: odd text comes back as it was', async () => {
    const family = '👨‍👩‍👧‍👦🏳️‍🌈e\u0301'
    for (const text of [
      family,
      '<｜User｜>',
      'a</think>',
      '\u0000\u0001\u007f',
      '\ufdd0<think>',
      '\r\n\t',
    ]) {
      const { choices } = await ask(server.url, text)
      expect(choices[0].message.content).toBe(text.replace(/^\n+/, ''))
    }
    // Said first, these mean something, whoever writes them letter by letter.
    for (const marker of ['</think>', '<｜tool▁calls▁begin｜>'])
      expect((await ask(server.url, marker)).choices[0].message.content).toBe('')
    const { choices } = await ask(server.url, 'a\ud800b')
    expect(choices[0].message.content).toBe('a\ufffdb')
    const twice =
      '{"messages":[{"role":"user","content":"a"}],"n":1,"messages":[{"role":"user","content":"b"}]}'
    const headers = { 'content-type': 'application/json' }
    const response = await fetch(`${server.url}/v1/chat/completions`, {
      method: 'POST',
      headers,
      body: twice,
    })
    expect(((await response.json()) as Loose).choices[0].message.content).toBe('b')
  })

  it('H20, H21: a million of one character', async () => {
    for (const c of ['a', ' ', '中']) {
      const cpu = watchCpu()
      expect(await fine(await send({ messages: [user(c.repeat(300_000))] }))).toBe(400)
      expect(cpu()).toBeLessThan(2000)
    }
    const parts = Array.from({ length: 1000 }, () => ({ type: 'text', text: 'y'.repeat(300) }))
    expect(await fine(await send({ messages: [{ role: 'user', content: parts }] }))).toBe(400)
    await alive(server)
  })

  it('H32: thinking that ends early, never, or twice', async () => {
    for (const [script, reasoning, content] of [
      ['[[/think]]a', undefined, 'a'],
      ['never', 'never', ''],
      ['a[[/think]]b[[/think]]c', 'a', 'b</think>c'],
      ['a[[think]]b[[/think]]c', 'a<think>b', 'c'],
    ] as const) {
      const { choices } = await ask(server.url, script, { thinking: { type: 'enabled' } })
      expect(choices[0].message.reasoning_content).toBe(reasoning)
      expect(choices[0].message.content).toBe(content)
    }
  })

  it('H36: the same seed gives the same answer under load', async () => {
    const one = await ask(server.url, 'same', { seed: 5, temperature: 1, logprobs: true })
    const many = await Promise.all(
      Array.from({ length: 40 }, (_, i) =>
        ask(server.url, i % 2 ? 'same' : `other ${i}`, { seed: 5, temperature: 1, logprobs: true }),
      ),
    )
    for (const [i, { choices }] of many.entries())
      if (i % 2) expect(choices).toEqual(one.choices)
      else expect(choices[0].message.content).toBe(`other ${i}`)
  })
})

describe('bytes', () => {
  const get = (path: string, headers = 'Host: localhost\r\n') =>
    `GET ${path} HTTP/1.1\r\n${headers}Connection: close\r\n\r\n`
  const raw: [name: string, bytes: string | Buffer, status: number | readonly number[]][] = [
    ['a header of 64 KiB', get('/health', `Host: localhost\r\nX-A: ${'a'.repeat(65536)}\r\n`), 431],
    ['10,000 headers', get('/health', `Host: localhost\r\n${'a: b\r\n'.repeat(10_000)}`), 431],
    ['a path of 64 KiB', get(`/${'a'.repeat(65536)}`), 431],
    ['no HTTP', 'hello\r\n\r\n', 400],
    ['TLS', Buffer.from('16030100c8010000c40303', 'hex'), 400],
    ['HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', [400, 505]],
    ['HTTP/1.0 without Host', 'GET /health HTTP/1.0\r\n\r\n', [400, 403]],
    ['no Host', get('/health', ''), 400],
    ['an empty Host', get('/health', 'Host: \r\n'), [400, 403]],
    ['two Hosts', get('/health', 'Host: localhost\r\nHost: evil.example\r\n'), 400],
    ['a rebound Host', get('/health', 'Host: evil.example\r\n'), 403],
    ['127.0.0.1.evil', get('/health', 'Host: 127.0.0.1.evil\r\n'), 403],
    ['a Host that is none', get('/health', 'Host: a b@c\r\n'), [400, 403]],
    ['Host [::1]', get('/health', 'Host: [::1]:80\r\n'), 200],
    ['another port', get('/health', 'Host: 127.0.0.1:1\r\n'), 200],
    ['a foreign Origin', get('/health', 'Host: localhost\r\nOrigin: http://evil.example\r\n'), 403],
    ['an absolute path of another', get('http://evil.example/health'), [200, 400, 403]],
    ['a path with a NUL', get('/\0'), 400],
    ['a path with dots', get('/../../etc/passwd'), 404],
    ['an encoded path', get('/%2e%2e/%2e%2e/etc/passwd'), 404],
    ['a broken escape', get('/%zz'), 404],
    ['a backslash', get('/\\evil'), [400, 404]],
    [
      'length and chunks',
      'POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
      400,
    ],
    [
      'two lengths',
      'POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello',
      400,
    ],
    [
      'a negative length',
      'POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n',
      400,
    ],
    [
      'a bad chunk',
      'POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n',
      400,
    ],
    [
      'a chunk of 2^64',
      'POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFFF\r\n',
      400,
    ],
    ['a line folded', get('/health', 'Host: localhost\r\nX-A: b\r\n c\r\n'), [200, 400]],
    ['a bare CR', 'GET /health HTTP/1.1\rHost: localhost\r\r', 400],
    [
      'CONNECT',
      'CONNECT evil.example:80 HTTP/1.1\r\nHost: evil.example:80\r\n\r\n',
      [0, 400, 403, 405],
    ],
    ['TRACE', 'TRACE /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n', 405],
    ['OPTIONS *', 'OPTIONS * HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n', [400, 404]],
    [
      'PUT',
      'PUT /v1/models HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\nConnection: close\r\n\r\n',
      405,
    ],
    ['an unknown method', 'BREW /health HTTP/1.1\r\nHost: localhost\r\n\r\n', 400],
    [
      'an upgrade',
      get('/health', 'Host: localhost\r\nUpgrade: websocket\r\nSec-WebSocket-Key: x\r\n'),
      200,
    ],
    ['an expectation', get('/health', 'Host: localhost\r\nExpect: 200-ok\r\n'), 417],
    [
      'a range',
      get(
        '/openapi.json',
        'Host: localhost\r\nRange: bytes=0-5\r\nAccept-Encoding: gzip, br, x\r\n',
      ),
      200,
    ],
  ]
  it.each(raw)('H13, H15, H17, H30: %s', async (_, bytes, status) => {
    const text = await exchange(server.port, bytes, 20_000)
    expect([status].flat()).toContain(statusOf(text))
    if (statusOf(text) >= 400 && statusOf(text) !== 417) expect(text).toContain('"error"')
    await alive(server)
  })

  it('H19: a body that is too large, declared or not, is refused before it is read', async () => {
    const head =
      'POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n'
    const declared = await exchange(
      server.port,
      `${head}Content-Length: 100000000\r\n\r\n{`,
      20_000,
    )
    expect(statusOf(declared)).toBe(413)
    expect(declared).toContain('body_too_large')
    const chunk = `10000\r\n${'x'.repeat(65536)}\r\n`
    const sent = await exchange(
      server.port,
      `${head}Transfer-Encoding: chunked\r\n\r\n${chunk.repeat(40)}`,
      20_000,
    )
    expect(statusOf(sent)).toBe(413)
    const expecting = await exchange(
      server.port,
      `${head}Content-Length: 100000000\r\nExpect: 100-continue\r\n\r\n`,
      20_000,
    )
    expect(statusOf(expecting)).toBe(413)
    const welcome = chatBytes('x', {}, 'Expect: 100-continue\r\nConnection: close\r\n')
    expect(await exchange(server.port, welcome, 20_000)).toMatch(
      /^HTTP\/1.1 100 Continue[\s\S]+HTTP\/1.1 200/,
    )
    await alive(server)
  })

  it('H13: pipelined requests are answered in order', async () => {
    const text = await exchange(
      server.port,
      chatBytes('one') + chatBytes('two', {}, 'Connection: close\r\n'),
    )
    expect(text.indexOf('"content":"one"')).toBeGreaterThan(0)
    expect(text.indexOf('"content":"two"')).toBeGreaterThan(text.indexOf('"content":"one"'))
  })

  it('H13: bytes that trickle are cut off', async () => {
    const trickle = async (bytes: string) => {
      const socket = await open(server.port)
      socket.resume()
      const closed = once(socket, 'close')
      const timer = setInterval(() => socket.writable && socket.write(bytes), 100)
      const started = performance.now()
      await closed
      clearInterval(timer)
      return performance.now() - started
    }
    expect(await trickle('X-A: b\r\n')).toBeLessThan(20_000)
    const socket = await open(server.port)
    socket.resume()
    const closed = once(socket, 'close')
    socket.write(
      'POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{',
    )
    const timer = setInterval(() => socket.writable && socket.write(' '), 100)
    await closed
    clearInterval(timer)
    await alive(server)
  })

  it('H23, H28: clients that vanish at any moment', async () => {
    const whole = chatBytes('[[x*300]][[calls]][[call]]f[[sep]]{}', {
      stream: true,
      thinking: { type: 'enabled' },
    })
    for (const [bytes, ms] of [
      [whole.slice(0, 30), 5],
      [whole.slice(0, -20), 5],
      [whole, 0],
      [whole, 5],
      [whole, 30],
      [whole, 80],
    ] as const) {
      const socket = await open(server.port)
      socket.write(bytes)
      await sleep(ms)
      socket.resetAndDestroy()
    }
    await until(() => isIdle(server.model.engine))
    await alive(server)
  })

  it('H23: clients that vanish in the arguments of a call, and before the last chunk', async () => {
    await using slow = await live({ limits }, { delay: 3 })
    const script = `[[calls]][[call]]function[[sep]]f\n\`\`\`json\n{"a":"${'x'.repeat(200)}"}\n\`\`\`[[/call]][[/calls]]`
    const tools = [{ type: 'function', function: { name: 'f' } }]
    const phases = [
      [script, '"arguments":"', { tools, stream: true }],
      ['[[x*40]]', '"content":"x"', { stream: true, stream_options: { include_usage: true } }],
    ] as const
    for (const [content, mark, more] of phases) {
      const socket = await open(slow.port)
      let text = ''
      socket.on('data', (data) => {
        text += data
      })
      socket.write(chatBytes(content, more))
      await until(() => text.includes(mark), 20_000)
      socket.resetAndDestroy()
      await until(() => isIdle(slow.model.engine), 20_000)
      expect(text).not.toContain('[DONE]')
    }
    expect(slow.handle.app.core.jobs.size).toBe(0)
    await alive(slow)
  })

  it('H28: the process of a client that is killed', async () => {
    await using slow = await live({ limits }, { delay: 5 })
    const body = JSON.stringify({ messages: [user('[[x*3000]]')], max_tokens: 3000, stream: true })
    const program = `
      const response = await fetch(${JSON.stringify(`${slow.url}/v1/chat/completions`)}, {
        method: 'POST', headers: { 'content-type': 'application/json' }, body: ${JSON.stringify(body)} })
      for await (const chunk of response.body) process.stdout.write(chunk)`
    const child = spawn(process.execPath, ['--input-type=module', '-e', program])
    await once(child.stdout, 'data')
    expect(slow.model.stats.running).toBe(1)
    child.kill('SIGKILL')
    await until(() => isIdle(slow.model.engine), 20_000)
    expect(slow.model.stats.tokensGenerated).toBeLessThan(3000)
    await alive(slow)
  })

  it('H13: a client that has closed its half gets its answer, or none', async () => {
    const socket = await open(server.port)
    let text = ''
    socket.on('data', (data) => {
      text += data
    })
    const closed = once(socket, 'close')
    socket.end(chatBytes('half'))
    await closed
    expect(text).toMatch(/^$|"content":"half"/)
    await until(() => isIdle(server.model.engine), 20_000)
    await alive(server)
  })

  it('H13: chunks of one byte, with long extensions', async () => {
    const head =
      'POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n'
    const body = JSON.stringify({ messages: [user('chunks')] })
    const small = [...body].map((c) => `1\r\n${c}\r\n`).join('')
    const whole = await exchange(
      server.port,
      `${head}Connection: close\r\n\r\n${small}0\r\n\r\n`,
      20_000,
    )
    expect(whole).toContain('"content":"chunks"')
    const bomb = [...body].map((c) => `1;${'e'.repeat(20_000)}\r\n${c}\r\n`).join('')
    const refused = await exchange(server.port, `${head}\r\n${bomb}0\r\n\r\n`, 20_000)
    expect(statusOf(refused)).toBeGreaterThanOrEqual(400)
    expect(statusOf(refused)).toBeLessThan(500)
    await alive(server)
  })

  it('H26: five hundred idle sockets', async () => {
    const sockets = await Promise.all(Array.from({ length: 500 }, () => open(server.port)))
    await alive(server)
    for (const socket of sockets) socket.destroy()
  })

  it('H24, H27, H37: many at once, the same twice, none lost and none mixed up', async () => {
    const before = process.memoryUsage().rss
    const results = await Promise.all(
      Array.from({ length: 120 }, async (_, i) => {
        const answer = await ask(server.url, `answer ${i % 60} [[x*${i % 7}]]`)
        expect(answer.choices, JSON.stringify(answer)).toBeDefined()
        return answer.choices[0].message.content === `answer ${i % 60} ${'x'.repeat(i % 7)}`
      }),
    )
    expect(results.every(Boolean)).toBe(true)
    expect(process.memoryUsage().rss - before).toBeLessThan(200e6)
    await alive(server)
  })
})
