import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { ApiError, type Failure } from '../api/errors.ts'
import type { ChatChunk, ChatRequest, HadalExtension, ToolCallDelta } from '../api/wire.ts'
import { createSettings, type SettingsStore } from '../settings.ts'
import {
  type AnswerContext,
  ask,
  continueAnswer,
  editQuestion,
  regenerate,
  retryDelay,
} from './answer.ts'
import { createMemoryDb } from './db.ts'
import { type ChatStore, createChatStore } from './store.ts'
import { pathOf } from './tree.ts'

type Step = ChatChunk | Failure | number | 'hang'
let script: Step[][] = []
let requests: ChatRequest[] = []
let chats: ChatStore
let settings: SettingsStore
let reached: (Failure | undefined)[] = []
let keyGiven = false
let context: AnswerContext

/** Plays one script per request: chunks, failures, and pauses in ms. */
async function* stream(request: ChatRequest, signal: AbortSignal): AsyncGenerator<ChatChunk> {
  requests.push(structuredClone(request))
  for (const step of script.shift() ?? []) {
    if (typeof step === 'number') await new Promise((resolve) => setTimeout(resolve, step))
    else if (step === 'hang')
      await new Promise((_, reject) =>
        signal.addEventListener('abort', () => reject(signal.reason)),
      )
    else if ('kind' in step) throw new ApiError(step)
    else yield step
    signal.throwIfAborted()
  }
}

const delta = (part: ChatChunk['choices'][number]['delta'], finish?: 'stop' | 'length') => ({
  id: 'chatcmpl-1',
  model: 'r1',
  choices: [{ index: 0, delta: part, finish_reason: finish ?? null }],
})
const think = (text: string) => delta({ reasoning_content: text })
const say = (text: string, finish?: 'stop' | 'length') => delta({ content: text }, finish)
const hadal: HadalExtension = {
  ttft_ms: 90,
  tokens_per_second: 50,
  reasoning_ms: 0,
  stopped: null,
  cost: { amount: 0.002, currency: 'USD' },
}
const usage = (completion: number, reasoning: number): ChatChunk => ({
  id: 'chatcmpl-1',
  choices: [],
  usage: {
    prompt_tokens: 20,
    completion_tokens: completion,
    total_tokens: 20 + completion,
    prompt_cache_hit_tokens: 8,
    prompt_cache_miss_tokens: 12,
    prompt_tokens_details: { cached_tokens: 8 },
    completion_tokens_details: { reasoning_tokens: reasoning },
  },
  hadal,
})

beforeEach(async () => {
  vi.useFakeTimers()
  script = []
  requests = []
  reached = []
  keyGiven = false
  chats = createChatStore(createMemoryDb())
  await chats.init()
  settings = createSettings({ getItem: () => null, setItem: () => {} })
  context = {
    chats,
    settings,
    model: () => 'r1',
    askKey: async () => keyGiven,
    onReach: (failure) => reached.push(failure),
    stream,
  }
})
afterEach(() => vi.useRealTimers())

async function finish(work: Promise<void>) {
  await vi.runAllTimersAsync()
  await work
}
const path = () => {
  const { chats: all, openId, messages } = chats.getState()
  const chat = all.find(({ id }) => id === openId)
  return chat ? pathOf(chat, messages).map((entry) => entry.message) : []
}
const last = () => path().at(-1)!

test('an answer gathers thinking, text, duration and statistics', async () => {
  script = [
    [
      delta({ role: 'assistant', content: null }),
      think('hm'),
      2500,
      think(' ok'),
      say('Yes'),
      say('.', 'stop'),
      usage(6, 2),
    ],
  ]
  await finish(ask(context, 'Is it deep?'))
  expect(last()).toMatchObject({
    content: 'Yes.',
    reasoning: 'hm ok',
    reasoningMs: 2500,
    outcome: { type: 'done' },
    model: 'r1',
    stats: { completionTokens: 6, reasoningTokens: 2, cachedTokens: 8, ttftMs: 90 },
  })
  expect(chats.getState().runs).toEqual({})
  expect(chats.getState().chats[0]?.title).toBe('Is it deep?')
  expect(requests[0]).toMatchObject({
    model: 'r1',
    stream: true,
    thinking: { type: 'enabled' },
    messages: [{ role: 'user', content: 'Is it deep?' }],
  })
})

test('the server’s own measure of the thinking wins', async () => {
  script = [
    [
      think('hm'),
      100,
      say('Yes', 'stop'),
      { ...usage(2, 1), hadal: { ...hadal, reasoning_ms: 167 } },
    ],
  ]
  await finish(ask(context, 'Hm?'))
  expect(last().reasoningMs).toBe(77)
})

test('stop settles at once, keeps what is there, and closes the stream', async () => {
  script = [[think('a'), think('b'), 'hang']]
  const work = ask(context, 'Go')
  await vi.advanceTimersByTimeAsync(500)
  const [run] = Object.values(chats.getState().runs)
  expect(run?.phase.type).toBe('thinking')
  run?.stop()
  expect(last()).toMatchObject({ outcome: { type: 'stopped' }, reasoning: 'ab', reasoningMs: 500 })
  expect(chats.getState().runs).toEqual({})
  await finish(work)
  expect(last().outcome).toEqual({ type: 'stopped' })
})

test('continue resends the cut answer as a prefix and sums its statistics', async () => {
  script = [
    [think('hm'), 1000, say('The sea is', 'length'), usage(5, 1)],
    [say(' deep.', 'stop'), usage(3, 0)],
  ]
  await finish(ask(context, 'How is it?'))
  expect(last().outcome).toEqual({ type: 'length' })
  await finish(continueAnswer(context, last().id))
  expect(requests[1]?.messages.at(-1)).toEqual({
    role: 'assistant',
    content: 'The sea is',
    reasoning_content: 'hm',
    prefix: true,
  })
  expect(last()).toMatchObject({
    content: 'The sea is deep.',
    reasoningMs: 1000,
    outcome: { type: 'done' },
    stats: { completionTokens: 8, reasoningTokens: 1, cost: { amount: 0.004, currency: 'USD' } },
  })
  expect(path()).toHaveLength(2)
})

test('continue in the middle of thinking goes on thinking, and the clock goes on too', async () => {
  script = [
    [think('one'), 1000, 'hang'],
    [think(' two'), 500, say('Done', 'stop')],
  ]
  const work = ask(context, 'Think')
  await vi.advanceTimersByTimeAsync(1000)
  Object.values(chats.getState().runs)[0]?.stop()
  await finish(work)
  await finish(continueAnswer(context, last().id))
  expect(requests[1]?.messages.at(-1)).toMatchObject({ content: '', reasoning_content: 'one' })
  expect(last()).toMatchObject({ reasoning: 'one two', content: 'Done', reasoningMs: 1500 })
})

test('regenerate and edit make branches; earlier thinking is not sent again', async () => {
  script = [
    [think('x'), say('A', 'stop')],
    [say('B', 'stop')],
    [say('C', 'stop')],
    [say('D', 'stop')],
  ]
  await finish(ask(context, 'One'))
  const first = last().id
  await finish(regenerate(context, first))
  expect(last().content).toBe('B')
  await finish(ask(context, 'Two'))
  expect(requests[2]?.messages).toEqual([
    { role: 'user', content: 'One' },
    { role: 'assistant', content: 'B' },
    { role: 'user', content: 'Two' },
  ])
  await finish(editQuestion(context, path()[2]!.id, 'Three'))
  expect(path().map(({ content }) => content)).toEqual(['One', 'B', 'Three', 'D'])
  expect(Object.keys(chats.getState().messages)).toHaveLength(7)
})

test('settings reach the request', async () => {
  settings.change({
    systemPrompt: 'Be brief.',
    thinking: false,
    thinkingBudget: 128,
    temperature: 0,
    topP: 0.9,
    maxTokens: 50,
  })
  script = [[say('ok', 'stop')]]
  await finish(ask(context, 'Hi'))
  expect(requests[0]).toMatchObject({
    thinking: { type: 'disabled' },
    temperature: 0,
    top_p: 0.9,
    max_tokens: 50,
    messages: [{ role: 'system', content: 'Be brief.' }, { role: 'user' }],
  })
  expect(requests[0]).not.toHaveProperty('max_reasoning_tokens')
  settings.change({ thinking: true })
  script = [[say('ok', 'stop')]]
  await finish(ask(context, 'Again'))
  expect(requests[1]?.max_reasoning_tokens).toBe(128)
})

test('a full queue, a loading model and a lost line are waited out', async () => {
  script = [
    [{ kind: 'busy', message: 'full', retryAfterMs: 7000 }],
    [{ kind: 'loading' }],
    [{ kind: 'network' }],
    [say('At last', 'stop')],
  ]
  const work = ask(context, 'Patience')
  await vi.advanceTimersByTimeAsync(10)
  const [run] = Object.values(chats.getState().runs)
  expect(run?.phase).toMatchObject({ type: 'waiting', reason: 'busy', message: 'full' })
  await vi.advanceTimersByTimeAsync(6000)
  expect(requests).toHaveLength(1)
  await finish(work)
  expect(last()).toMatchObject({ content: 'At last', outcome: { type: 'done' } })
  expect(reached.map((failure) => failure?.kind)).toEqual(['busy', 'loading', 'network', undefined])
})

test('try now does not wait, stop ends the waiting', async () => {
  script = [
    [{ kind: 'busy', message: 'full', retryAfterMs: 60_000 }],
    [{ kind: 'busy', message: 'full', retryAfterMs: 60_000 }],
  ]
  const work = ask(context, 'Now')
  await vi.advanceTimersByTimeAsync(10)
  Object.values(chats.getState().runs)[0]?.retryNow()
  await vi.advanceTimersByTimeAsync(10)
  expect(requests).toHaveLength(2)
  Object.values(chats.getState().runs)[0]?.stop()
  await finish(work)
  expect(last().outcome).toEqual({ type: 'stopped' })
})

test('an answer that broke in the middle is not tried again by itself', async () => {
  script = [[say('Half'), { kind: 'network' }]]
  await finish(ask(context, 'Break'))
  expect(requests).toHaveLength(1)
  expect(last()).toMatchObject({
    content: 'Half',
    outcome: { type: 'error', message: 'The connection to the server was lost.' },
  })
})

test('a wanted key is asked for once it is wanted', async () => {
  script = [[{ kind: 'key' }], [say('Hello', 'stop')]]
  keyGiven = true
  await finish(ask(context, 'Key'))
  expect(last().content).toBe('Hello')
  script = [[{ kind: 'key' }]]
  keyGiven = false
  await finish(ask(context, 'No key'))
  expect(last().outcome).toEqual({ type: 'error', message: 'The server wants an API key.' })
})

test('tool calls are put together from their pieces', async () => {
  const call = (index: number, part: Omit<ToolCallDelta, 'index'>) =>
    delta({ tool_calls: [{ index, ...part }] })
  script = [
    [
      call(1, { id: 'b', function: { name: 'second', arguments: '' } }),
      call(1, { function: { arguments: '{"x"' } }),
      call(1, { function: { arguments: ':1}' } }),
      { ...delta({}), choices: [{ index: 0, delta: {}, finish_reason: 'tool_calls' as const }] },
    ],
  ]
  await finish(ask(context, 'Tools'))
  expect(last().toolCalls[1]).toEqual({ id: 'b', name: 'second', arguments: '{"x":1}' })
  expect(last().toolCalls[0]).toEqual({ id: '', name: '', arguments: '' })
})

test('the model is named once the server has said its name, while a request waits too', async () => {
  let name: string | undefined
  context.model = () => name
  script = [[{ kind: 'loading' }], [say('Loaded', 'stop')]]
  const work = ask(context, 'Early')
  await vi.advanceTimersByTimeAsync(10)
  name = 'r1'
  await finish(work)
  expect(requests.map((request) => Object.hasOwn(request, 'model'))).toEqual([false, true])
  expect(requests[1]?.model).toBe('r1')
})

test.each([
  ['shutdown', { type: 'error', message: expect.stringContaining('shut down') }],
  ['timeout', { type: 'error', message: expect.stringContaining('time limit') }],
  ['cancelled', { type: 'stopped' }],
] as const)('an answer that the server cut says why: %s', async (stopped, outcome) => {
  const reason = stopped === 'cancelled' ? 'stop' : 'insufficient_system_resource'
  const end = { id: 'c', choices: [{ index: 0, delta: {}, finish_reason: reason }] } as const
  script = [[say('Half'), end, { ...usage(2, 0), hadal: { ...hadal, stopped } }]]
  await finish(ask(context, 'Long'))
  expect(last()).toMatchObject({ content: 'Half', outcome })
})

describe.each([
  ['a day forward', 86_400_000],
  ['a day back', -86_400_000],
])('a clock put %s (H38)', (_, ms) => {
  const jump = () => vi.setSystemTime(Date.now() + ms)

  test('in the middle of the thinking does not change how long it took', async () => {
    script = [[think('a'), 300, think('b'), 200, say('c', 'stop')]]
    const work = ask(context, 'q')
    await vi.advanceTimersByTimeAsync(100)
    const { phase } = chats.getState().runs[last().chatId]!
    jump()
    await finish(work)
    expect(phase.type === 'thinking' && performance.now() - phase.since).toBeLessThan(1000)
    expect(last()).toMatchObject({ reasoningMs: 500, content: 'c', outcome: { type: 'done' } })
  })

  test('while a busy server is waited out changes neither the wait nor what is said of it', async () => {
    script = [[{ kind: 'busy', message: 'full', retryAfterMs: 3000 }], [say('ok', 'stop')]]
    const work = ask(context, 'q')
    await vi.advanceTimersByTimeAsync(10)
    jump()
    const { phase } = chats.getState().runs[last().chatId]!
    const left = phase.type === 'waiting' ? phase.until - performance.now() : Number.NaN
    expect(Math.round(left)).toBe(2990)
    await vi.advanceTimersByTimeAsync(3000)
    expect(last().content).toBe('ok')
    await finish(work)
  })

  test('leaves a new version the newest', async () => {
    script = [[say('one', 'stop')], [say('two', 'stop')]]
    await finish(ask(context, 'q'))
    const first = last()
    jump()
    await finish(regenerate(context, first.id))
    const { chats: all, messages } = chats.getState()
    const siblings = pathOf(all[0]!, messages).at(-1)!.siblings
    expect(siblings.map((id) => messages[id]?.content)).toEqual(['one', 'two'])
  })
})

test('how long to wait', () => {
  expect(retryDelay({ kind: 'busy', message: '', retryAfterMs: undefined }, 3)).toBe(8000)
  expect(retryDelay({ kind: 'busy', message: '', retryAfterMs: 0 }, 0)).toBe(500)
  expect(retryDelay({ kind: 'network' }, 10)).toBeUndefined()
  expect(retryDelay({ kind: 'refused', message: '', status: 400 }, 0)).toBeUndefined()
})
