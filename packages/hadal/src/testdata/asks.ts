// Requests of every wire, and what each says, without what differs from time to time: ids, clocks, cache counts.

// biome-ignore lint/suspicious/noExplicitAny: bodies are compared, not typed
type Loose = any

export interface Ask {
  readonly path: string
  readonly body: object | string
}

const questions = [
  'What is 47 * 36?',
  'How many r are in strawberry?',
  'What is 8 + 5?',
  'Sort 3 1 2.',
  'What is 120 - 45?',
  'Is 17 prime?',
]
const schema = {
  type: 'object',
  properties: { answer: { type: 'integer' }, sure: { type: 'boolean' } },
  required: ['answer', 'sure'],
  additionalProperties: false,
}

/** Every question on every wire, greedy and with a seed; and requests that are wrong. */
export function allAsks(): Ask[] {
  const asks: Ask[] = questions.flatMap((content, i) => {
    const messages = [{ role: 'user', content }]
    const how = i % 2 === 0 ? { temperature: 0 } : { temperature: 0.8, seed: 100 + i }
    const stream = i % 3 === 0
    const [chat, max_tokens] = [{ messages, ...how }, 24 + 4 * i]
    const format = { type: 'json_schema', json_schema: { name: 'a', schema, strict: true } }
    const json = { model: 'deepseek-chat', response_format: format }
    const store = i % 2 === 0
    return [
      { path: '/v1/chat/completions', body: { ...chat, max_tokens } },
      { path: '/v1/chat/completions', body: { ...chat, max_tokens, stream: true } },
      { path: '/v1/chat/completions', body: { ...chat, ...json, max_tokens: 60, stream } },
      { path: '/v1/completions', body: { prompt: content, ...how, max_tokens, stream } },
      {
        path: '/v1/messages',
        body: { messages, temperature: 0, model: 'deepseek-reasoner', max_tokens, stream },
      },
      {
        path: '/v1/responses',
        body: { input: content, ...how, max_output_tokens: max_tokens, store, stream },
      },
    ]
  })
  const messages = [{ role: 'user', content: 'x' }]
  return [
    ...asks,
    { path: '/v1/chat/completions', body: { messages, no_such_field: 1 } },
    { path: '/v1/chat/completions', body: { messages, model: 'gpt-4o' } },
    { path: '/v1/chat/completions', body: '{"messages": [' },
    {
      path: '/v1/chat/completions',
      body: { messages: [{ role: 'user', content: 'add 1 '.repeat(700) }], stream: true },
    },
    { path: '/v1/completions', body: { prompt: [99_999] } },
    { path: '/v1/messages', body: { messages } },
    { path: '/v1/responses', body: { input: 'x', previous_response_id: 'resp_none' } },
    { path: '/v1/no/such/path', body: {} },
  ]
}

export const send = (url: string, { path, body }: Ask, signal?: AbortSignal): Promise<Response> =>
  fetch(url + path, {
    ...{ method: 'POST', headers: { 'content-type': 'application/json' } },
    body: typeof body === 'string' ? body : JSON.stringify(body),
    ...(signal && { signal }),
  })

/** What a request says: status, text, thinking and end, whatever its wire; streamed or whole. */
export async function said(url: string, ask: Ask): Promise<string> {
  const response = await send(url, ask)
  const text = await response.text()
  const streamed = response.headers.get('content-type')?.startsWith('text/event-stream')
  const bodies: Loose[] = streamed ? eventsOf(text) : [JSON.parse(text)]
  const told = { status: response.status, text: '', thinking: '', end: '', error: '' }
  for (const body of bodies) tell(told, body)
  return JSON.stringify(told)
}

/** The JSON of each event; `[DONE]` is the end. */
export const eventsOf = (text: string): Loose[] =>
  [...text.matchAll(/^data: (.*)$/gm)]
    .filter(([, data]) => data !== '[DONE]')
    .map(([, data]) => JSON.parse(data as string))

type Told = { text: string; thinking: string; end: string; error: string }

function tell(told: Told, body: Loose): void {
  if (body.error) told.error += body.error.message
  for (const { text, message, delta, finish_reason } of body.choices ?? []) {
    told.text += text ?? message?.content ?? delta?.content ?? ''
    told.thinking += message?.reasoning_content ?? delta?.reasoning_content ?? ''
    told.end += finish_reason ?? ''
  }
  // Messages: whole, then as events.
  for (const block of body.type === 'message' ? body.content : []) {
    told.text += block.text ?? ''
    told.thinking += block.thinking ?? ''
  }
  if (body.type === 'content_block_delta') {
    told.text += body.delta.text ?? ''
    told.thinking += body.delta.thinking ?? ''
  }
  if (body.type === 'message' || body.type === 'message_delta')
    told.end += body.stop_reason ?? body.delta.stop_reason
  // Responses: whole, then the event at the end, which has it whole too.
  const response = body.object === 'response' ? body : undefined
  const ended = /^response\.(completed|incomplete|failed)$/.test(body.type) && body.response
  const { output = [], status = '' } = response ?? (ended || {})
  for (const item of output)
    for (const part of item.content ?? [])
      if (item.type === 'reasoning') told.thinking += part.text
      else told.text += part.text
  told.end += status
}
