// A server's life, over real sockets: loading, clients that leave or do not read, control calls, time limits, a full
// queue, a failing step, draining.
import { setTimeout as sleep } from 'node:timers/promises'
import { failedStream } from '@hadal/engine'
import { bestOf } from '@hadal/testing'
import { describe, expect, it } from 'vitest'
import type { ServedModel } from './model.ts'
import { serve } from './serve.ts'
import { joined, type Loose, user } from './testdata/client.ts'
import { echoModel } from './testdata/echo.ts'
import {
  alive,
  ask,
  chatBytes,
  events,
  isIdle,
  type Live,
  live,
  open,
  post,
  until,
} from './testdata/socket.ts'

const long = { messages: [user('[[x*3000]]')], max_tokens: 3000 }
const thinking = { thinking: { type: 'enabled' } }
const slow = { delay: 5 }

describe('loading', () => {
  it('answers 503 with progress until the model is there, then 200', async () => {
    let ready: (model: ServedModel) => void = () => {}
    const model = new Promise<ServedModel>((resolve) => {
      ready = resolve
    })
    const progress = { stage: 'reading weights', done: 3, total: 8 }
    await using server = await live({ model, progress: () => progress })
    const health = await fetch(`${server.url}/health`)
    expect(health.status).toBe(503)
    expect(await health.json()).toEqual({ status: 'loading', model: 'hadal', progress })
    const refused = await ask(server.url, 'x')
    expect(refused).toMatchObject({ status: 503, error: { code: 'model_loading' } })
    expect(refused.headers.get('retry-after')).toBe('2')
    expect((await fetch(`${server.url}/metrics`)).status).toBe(200)
    ready(echoModel())
    await sleep(1)
    expect((await fetch(`${server.url}/health`)).status).toBe(200)
    expect(await ask(server.url, 'x')).toMatchObject({ status: 200 })
  })

  it('says when loading failed, and not why', async () => {
    await using server = await live({ model: Promise.reject(new Error('/secret/path')) })
    await sleep(1)
    const health = await fetch(`${server.url}/health`)
    expect(await health.text()).not.toContain('secret')
    expect(await ask(server.url, 'x')).toMatchObject({
      status: 503,
      error: { code: 'model_failed' },
    })
  })
})

describe('a model that refuses', () => {
  it('ends the job, and the server closes after it', async () => {
    const refuse = () =>
      failedStream(
        Object.assign(new Error('schema: no such keyword'), { code: 'ERR_HADAL_GRAMMAR' }),
      )
    const model = { ...echoModel(), chat: refuse as unknown as ServedModel['chat'] }
    const handle = await serve({ model, port: 0, logLevel: 'off' })
    const more = { response_format: { type: 'json_object' } }
    for (const stream of [false, true]) {
      const reply = await post(handle.url, { messages: [user('x')], stream, ...more })
      expect(reply.status).toBe(400)
      expect(await reply.json()).toMatchObject({ error: { code: 'invalid_schema' } })
    }
    expect(handle.app.core.jobs.size).toBe(0)
    await handle.drain(0)
  })
})

describe('a client that leaves', () => {
  it.each([
    ['while waiting for the whole answer', { ...long }],
    ['in the stream', { ...long, stream: true }],
    ['with several choices', { ...long, stream: true, n: 4 }],
    ['in the thinking', { ...long, ...thinking, stream: true }],
  ])('%s stops the work within a step', async (_, body) => {
    await using server = await live({}, slow)
    const abort = new AbortController()
    const response = post(server.url, body, abort.signal).then((r) => r.text())
    response.catch(() => {})
    await until(() => server.model.stats.tokensGenerated > 5)
    const { steps } = server.model.stats
    abort.abort()
    await until(() => isIdle(server.model.engine))
    // One or two, and those that run until the broken connection is seen; a whole answer takes 3,000.
    expect(server.model.stats.steps - steps).toBeLessThan(60)
    await until(() => server.log.length > 0)
    expect(server.log[0]).toMatchObject({ end: 'client', completion_tokens: expect.any(Number) })
    expect(server.log[0].completion_tokens).toBeGreaterThan(0)
    expect(server.handle.app.core.jobs.size).toBe(0)
  })

  it('in prefill stops it too', async () => {
    await using server = await live({}, { delay: 30, limits: { maxTokens: 16 } })
    const socket = await open(server.port)
    socket.write(chatBytes('y'.repeat(3000)))
    await until(() => server.model.stats.tokensPrefilled > 16)
    expect(server.model.stats.tokensGenerated).toBeLessThan(1)
    socket.destroy()
    await until(() => isIdle(server.model.engine))
    expect(server.model.stats.tokensPrefilled).toBeLessThan(1000)
  })

  it('while queued never runs', async () => {
    await using server = await live({}, { ...slow, limits: { maxSequences: 1, maxRows: 1 } })
    const first = new AbortController()
    post(server.url, long, first.signal).catch(() => {})
    await until(() => server.model.stats.running === 1)
    const abort = new AbortController()
    post(server.url, { ...long, stream: true }, abort.signal).catch(() => {})
    await until(() => server.model.stats.waiting === 1)
    abort.abort()
    await until(() => server.log.length === 1)
    expect(server.log[0]).toMatchObject({ end: 'client', completion_tokens: 0 })
    expect(server.model.stats).toMatchObject({ running: 1, waiting: 0 })
    first.abort()
    await until(() => isIdle(server.model.engine))
  })

  it('two hundred times in mid-flight, and the next is answered within 2 s', async () => {
    await using server = await live({ maxQueue: 300 }, slow)
    const attempt = () => twoHundredLeave(server)
    // Some 0.2 s: the best of three, as the claim is of the server and not of what else the machine does.
    expect(await bestOf(3, 2000, attempt)).toBeLessThan(2000)
    expect(server.handle.app.core.jobs.size).toBe(0)
  })
})

/** Milliseconds from when they leave to the next one's answer. */
async function twoHundredLeave(server: Live): Promise<number> {
  const aborts = Array.from({ length: 200 }, () => new AbortController())
  for (const [i, { signal }] of aborts.entries())
    post(server.url, { ...long, stream: i % 2 === 0 }, signal)
      .then((r) => r.text())
      .catch(() => {})
  await until(() => server.model.stats.running + server.model.stats.waiting > 150, 60_000)
  const { steps } = server.model.stats
  for (const abort of aborts) abort.abort()
  const left = performance.now()
  expect(await ask(server.url, 'next')).toMatchObject({ status: 200 })
  const ms = performance.now() - left
  await until(() => isIdle(server.model.engine))
  // Nothing is worked off of what they asked: 200 answers of 3,000 ids, 8 at once, are 75,000 steps.
  expect(server.model.stats.steps - steps).toBeLessThan(200)
  return ms
}

describe('a client that does not read', () => {
  it('is dropped, and meanwhile costs no more than its answer', async () => {
    await using server = await live({ limits: { idleMs: 400 } })
    const socket = await open(server.port)
    socket.pause()
    socket.write(
      chatBytes('[[x*3000]]', {
        stream: true,
        n: 8,
        max_tokens: 3000,
        logprobs: true,
        top_logprobs: 20,
      }),
    )
    await until(() => server.model.stats.running > 0)
    await alive({ ...server, model: { ...server.model, engine: server.model.engine } }).catch(
      () => {},
    )
    await until(() => server.handle.app.core.jobs.size === 0, 60_000)
    socket.destroy()
    await alive(server)
  })

  it('reads slowly, and gets everything', async () => {
    await using server = await live({ limits: { idleMs: 1000 } })
    const socket = await open(server.port)
    let text = ''
    socket.setEncoding('utf8')
    socket.write(
      chatBytes('[[x*1500]]', { stream: true, max_tokens: 1500 }, 'Connection: close\r\n'),
    )
    const closed = new Promise((resolve) => socket.once('close', resolve))
    socket.on('data', (data) => {
      text += data
      socket.pause()
      setTimeout(() => socket.resume(), 3)
    })
    await closed
    expect(text.match(/"content":"x"/g)).toHaveLength(1500)
    expect(text).toContain('[DONE]')
  })
})

describe('silence', () => {
  it('is broken by comments in a stream and by blanks in front of a body', async () => {
    await using server = await live({ limits: { commentMs: 20 } }, { delay: 90 })
    const body = { messages: [user('ab')], max_tokens: 2 }
    const text = await (await post(server.url, { ...body, stream: true })).text()
    expect(text).toMatch(/^(: keep-alive\n\n)+data: /)
    const whole = await post(server.url, body)
    const raw = await whole.text()
    expect(raw).toMatch(/^\n+\{/)
    expect(JSON.parse(raw).choices[0].message.content).toBe('ab')
  })

  it('ends with a 503 when no token comes in time', async () => {
    await using server = await live({ limits: { firstTokenMs: 50 } }, { delay: 300 })
    expect(await ask(server.url, 'x')).toMatchObject({ status: 503, error: { code: 'overloaded' } })
    await until(() => isIdle(server.model.engine))
  })

  it('ends an answer that takes too long, and says so', async () => {
    await using server = await live({ limits: { requestMs: 1500 } }, slow)
    const { choices, hadal } = await ask(server.url, '[[x*3000]]')
    expect(choices[0].finish_reason).toBe('insufficient_system_resource')
    expect(choices[0].message.content).toMatch(/^x+$/)
    expect(hadal.stopped).toBe('timeout')
  })
})

describe('control', () => {
  const begin = async (url: string, body: object) => {
    const response = await post(url, { ...body, stream: true })
    const reader = (response.body as ReadableStream<Uint8Array>).getReader()
    const first = Buffer.from((await reader.read()).value as Uint8Array).toString()
    const { id } = JSON.parse((first.split('\n')[0] as string).slice(6))
    const rest = async () => {
      let text = first
      for (let next = await reader.read(); !next.done; next = await reader.read())
        text += Buffer.from(next.value).toString()
      return text
        .split('\n\n')
        .filter((b) => b.startsWith('data: {'))
        .map((b) => JSON.parse(b.slice(6)))
    }
    return { id, rest }
  }
  const call = (url: string, id: string, action: string) =>
    fetch(`${url}/v1/chat/completions/${id}/${action}`, { method: 'POST' })

  it('ends the thinking of a running answer, which then answers', async () => {
    await using server = await live({}, slow)
    const { id, rest } = await begin(server.url, { ...long, ...thinking, max_tokens: 600 })
    await sleep(40)
    const response = await call(server.url, id, 'end_thinking')
    expect(await response.json()).toEqual({
      id,
      object: 'chat.completion.control',
      action: 'end_thinking',
    })
    const out: Loose = joined(await rest())
    expect(out.reasoning.length).toBeGreaterThan(1)
    expect(out.reasoning.length).toBeLessThan(400)
    expect(out.content).toMatch(/^x{50,}$/)
    expect(out.finish).toEqual(['length'])
  })

  it('cancels a running answer', async () => {
    await using server = await live({}, slow)
    const { id, rest } = await begin(server.url, { ...long, n: 2 })
    expect((await call(server.url, id, 'cancel')).status).toBe(200)
    const chunks = await rest()
    expect(joined(chunks)).toMatchObject({ finish: ['stop'] })
    expect(chunks.at(-1).hadal.stopped).toBe('cancelled')
    await until(() => isIdle(server.model.engine))
    expect((await call(server.url, id, 'cancel')).status).toBe(404)
  })
})

describe('a queue', () => {
  it('goes by priority, then by arrival', async () => {
    await using server = await live({}, { ...slow, limits: { maxSequences: 1, maxRows: 1 } })
    const abort = new AbortController()
    post(server.url, { ...long, priority: 9 }, abort.signal).catch(() => {})
    await until(() => server.model.stats.running === 1)
    const order: string[] = []
    // A point of priority is ten seconds of waiting.
    const asked = [
      ['first', 0],
      ['second', 0],
      ['late but urgent', 5],
      ['whenever', -5],
    ] as const
    const all: Promise<unknown>[] = []
    for (const [i, [name, priority]] of asked.entries()) {
      all.push(ask(server.url, name, { priority }).then(() => order.push(name)))
      await until(() => server.model.stats.waiting + server.model.stats.running === i + 2)
    }
    abort.abort()
    await Promise.all(all)
    expect(order).toEqual(['late but urgent', 'first', 'second', 'whenever'])
  })
})

describe('a full queue', () => {
  it('is a 429 with Retry-After', async () => {
    await using server = await live({ maxQueue: 1 }, { ...slow, limits: { maxSequences: 2 } })
    const abort = new AbortController()
    for (let i = 0; i < 3; i++) post(server.url, long, abort.signal).catch(() => {})
    await until(() => server.handle.app.core.activeChoices === 3)
    const refused = await ask(server.url, 'x')
    expect(refused).toMatchObject({
      status: 429,
      error: { code: 'queue_full', type: 'rate_limit_error' },
    })
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0)
    abort.abort()
    await until(() => server.handle.app.core.activeChoices === 0)
    await alive(server)
  })

  it('of the engine is one too', async () => {
    const model = echoModel()
    const full = Object.assign(new Error('full'), {
      code: 'ERR_HADAL_QUEUE_FULL',
      retryAfterMs: 3200,
    })
    const chat = (): never => {
      throw full
    }
    await using server = await live({ model: { ...model, chat } })
    const refused = await ask(server.url, 'x', { stream: true })
    expect(refused.status).toBe(429)
    expect(refused.headers.get('retry-after')).toBe('4')
  })
})

describe('a failing step', () => {
  it('is a 500 for its request, an error event in a stream, and nothing to the next', async () => {
    await using server = await live({}, { poison: 'axx' })
    expect(await ask(server.url, 'a[[x*9]]')).toMatchObject({
      status: 500,
      error: { code: 'model_error' },
    })
    const response = await post(server.url, { messages: [user('a[[x*9]]')], stream: true })
    const chunks = await events(response)
    expect(chunks.at(-1)).toMatchObject({ error: { code: 'model_error', type: 'server_error' } })
    expect(joined(chunks.slice(0, -1))).toMatchObject({ content: 'axx', finish: [] })
    expect(server.log.some(({ event, error }) => event === 'error' && /burnt/.test(error))).toBe(
      true,
    )
    await alive(server)
  })
})

describe('draining', () => {
  it('lets answers end, takes nothing new, and closes', async () => {
    const server = await live({}, slow)
    const running = ask(server.url, '[[x*40]]')
    const kept = await open(server.port)
    await until(() => server.model.stats.tokensGenerated > 3)
    const drained = server.handle.drain(10_000)
    expect(server.handle.drain()).toBe(drained)
    await expect(fetch(`${server.url}/health`)).rejects.toThrow()
    kept.destroy()
    expect((await running).choices[0].message.content).toBe('x'.repeat(40))
    await drained
    expect(isIdle(server.model.engine)).toBe(true)
  })

  it('refuses on connections that are open', async () => {
    const server = await live({}, slow)
    const busy = ask(server.url, '[[x*60]]')
    await until(() => server.model.stats.tokensGenerated > 3)
    const socket = await open(server.port)
    socket.write('GET /health HTTP/1.1\r\nHost: localhost\r\n')
    await sleep(20)
    const drained = server.handle.drain(10_000)
    let text = ''
    socket.on('data', (data) => {
      text += data
    })
    socket.write('\r\n')
    await until(() => text.includes('draining'))
    expect(text).toContain('503')
    socket.destroy()
    await busy
    await drained
  })

  it('cuts off what does not end, with a word', async () => {
    const server = await live({}, slow)
    const response = await post(server.url, { ...long, stream: true })
    await until(() => server.model.stats.tokensGenerated > 3)
    const started = performance.now()
    const drained = server.handle.drain(50)
    const chunks = await events(response)
    expect(joined(chunks)).toMatchObject({ finish: ['insufficient_system_resource'] })
    expect(chunks.at(-1).hadal.stopped).toBe('shutdown')
    await drained
    // Seconds before its end.
    expect(performance.now() - started).toBeLessThan(10_000)
  })

  it('does not wait for clients that do not read', async () => {
    const server = await live()
    const socket = await open(server.port)
    socket.pause()
    socket.write(
      chatBytes('[[x*3000]]', {
        stream: true,
        n: 8,
        max_tokens: 3000,
        logprobs: true,
        top_logprobs: 20,
      }),
    )
    await until(() => server.model.stats.tokensGenerated > 3)
    await server.handle.drain(100)
    expect(server.handle.app.core.jobs.size).toBe(0)
    socket.destroy()
  })

  it('leaves no idle socket behind', async () => {
    const server = await live()
    const sockets = await Promise.all(Array.from({ length: 20 }, () => open(server.port)))
    const closed = Promise.all(
      sockets.map((s) => new Promise((resolve) => s.resume().once('close', resolve))),
    )
    await server.handle.drain(100)
    await closed
    await expect(open(server.port)).rejects.toThrow(/ECONNREFUSED/)
  })
})
