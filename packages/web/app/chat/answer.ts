// One answer from question to end: sends the request, waits out a full queue, a loading model and a lost
// connection, and feeds the sink. Asking, regenerating, editing and continuing all end in `run`.
import { endThinking, streamChat } from '../api/client.ts'
import { ApiError, type Failure } from '../api/errors.ts'
import type { ChatRequest } from '../api/wire.ts'
import { elapsed } from '../elapsed.ts'
import type { SettingsStore } from '../settings.ts'
import { buildRequest } from './request.ts'
import { createSink, type Sink } from './sink.ts'
import { type ChatStore, newId, type Run, type RunPhase } from './store.ts'
import { ancestors, pathOf } from './tree.ts'
import type { Message, MessageMap, Outcome } from './types.ts'

export interface AnswerContext {
  chats: ChatStore
  settings: SettingsStore
  /** The model to ask, as the server names it; undefined while the server has not said which it has. */
  model(): string | undefined
  /** Asks the reader for an API key; false when they decline. */
  askKey(): Promise<boolean>
  /** Tells the status line that the server cannot be reached, or can again. */
  onReach(failure: Failure | undefined): void
  stream?: typeof streamChat
}

const networkTries = 6
const busyTries = 40

/** How long to wait before try number `attempt` (0 first), or undefined: give up. */
export function retryDelay(failure: Failure, attempt: number): number | undefined {
  const backoff = Math.min(15_000, 1000 * 2 ** attempt)
  if (failure.kind === 'busy')
    return attempt < busyTries ? Math.max(500, failure.retryAfterMs ?? backoff) : undefined
  if (failure.kind === 'loading') return 1500
  if (failure.kind === 'network') return attempt < networkTries ? backoff : undefined
  return undefined
}

export function failureText(failure: Failure): string {
  if (failure.kind === 'network') return 'The connection to the server was lost.'
  if (failure.kind === 'key') return 'The server wants an API key.'
  if (failure.kind === 'loading') return 'The model is still loading.'
  return failure.message
}

/** Younger than all of its chat, also when the clock was set back: versions are ordered by their age. */
function youngest(messages: MessageMap, chatId: string): number {
  const ages = Object.values(messages).flatMap((message) =>
    message.chatId === chatId ? message.createdAt + 1 : [],
  )
  return ages.reduce((most, age) => Math.max(most, age), Date.now())
}

function createMessage(
  { chats }: AnswerContext,
  part: Pick<Message, 'chatId' | 'parentId' | 'role' | 'content'>,
): Message {
  return {
    id: newId(),
    createdAt: youngest(chats.getState().messages, part.chatId),
    reasoning: '',
    reasoningMs: undefined,
    outcome: { type: part.role === 'assistant' ? 'streaming' : 'done' },
    toolCalls: [],
    stats: undefined,
    model: undefined,
    ...part,
  }
}

/** A pause that `signal` ends with an exception and `wake` ends early. */
function pause(ms: number, signal: AbortSignal, wake: (early: () => void) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, ms)
    wake(() => {
      clearTimeout(timer)
      resolve()
    })
    signal.addEventListener('abort', () => {
      clearTimeout(timer)
      reject(signal.reason)
    })
  })
}

interface Attempt {
  context: AnswerContext
  request: ChatRequest
  sink: Sink
  controller: AbortController
  update(patch: Partial<Run>): void
}

/** Tries until the stream ends; returns how it ended where the stream did not say so itself. */
async function attemptUntilDone(attempt: Attempt): Promise<Outcome | undefined> {
  const { context, request, sink, controller, update } = attempt
  const { signal } = controller
  const stream = context.stream ?? streamChat
  for (let tries = 0; ; tries++) {
    try {
      update({ phase: { type: 'sent' } })
      // Not before: the name may become known only while this request waits.
      const model = context.model()
      for await (const chunk of stream({ ...request, ...(model && { model }) }, signal)) {
        if (!sink.started) update({ completionId: chunk.id })
        sink.push(chunk)
      }
      context.onReach(undefined)
      return undefined
    } catch (error) {
      if (signal.aborted) return { type: 'stopped' }
      const failure: Failure =
        error instanceof ApiError
          ? error.failure
          : { kind: 'refused', message: String(error), status: 0 }
      context.onReach(failure)
      if (sink.started) return { type: 'error', message: failureText(failure) }
      if (failure.kind === 'key' && (await context.askKey())) continue
      const delay = retryDelay(failure, tries)
      if (delay === undefined) return { type: 'error', message: failureText(failure) }
      const reason = failure.kind as 'busy' | 'loading' | 'network'
      const until = elapsed() + delay
      const message = failureText(failure)
      update({ phase: { type: 'waiting', reason, message, until } })
      try {
        await pause(delay, signal, (retryNow) => update({ retryNow }))
      } catch {
        return { type: 'stopped' }
      }
    }
  }
}

async function run(context: AnswerContext, base: Message, resume: boolean): Promise<void> {
  const { chats } = context
  const { chatId } = base
  chats.getState().runs[chatId]?.stop()
  const { messages } = chats.getState()
  const line = ancestors(resume ? base.id : (base.parentId ?? ''), messages)
  const request = buildRequest(line, context.settings.getState(), resume)
  const controller = new AbortController()
  const update = (patch: Partial<Run>) => {
    const current = chats.getState().runs[chatId]
    if (current?.messageId === base.id && !controller.signal.aborted)
      chats.setRun(chatId, { ...current, ...patch })
  }
  const onPhase = (phase: RunPhase) => update({ phase })
  const sink = createSink({ chats, base, onPhase, now: elapsed })
  let settled = false
  const settle = (outcome: Outcome | undefined) => {
    if (settled) return
    settled = true
    sink.finish(outcome)
    if (chats.getState().runs[chatId]?.messageId === base.id) chats.setRun(chatId, undefined)
  }
  chats.setRun(chatId, {
    messageId: base.id,
    startedAt: elapsed(),
    phase: { type: 'sent' },
    completionId: undefined,
    endingThinking: false,
    // Settles at once: the reader sees Stop work even if the network is slow to notice.
    stop: () => {
      controller.abort()
      settle({ type: 'stopped' })
    },
    retryNow: () => {},
  })
  chats.patchMessage(base.id, { outcome: { type: 'streaming' } })
  settle(await attemptUntilDone({ context, request, sink, controller, update }))
}

/** A new question at the end of the shown branch (or the first of a new chat), and its answer. */
export async function ask(context: AnswerContext, text: string): Promise<void> {
  const { chats } = context
  const state = chats.getState()
  const open = state.chats.find((chat) => chat.id === state.openId)
  const chat = open ?? chats.newChat(text)
  const parentId = pathOf(chat, chats.getState().messages).at(-1)?.message.id ?? null
  await askUnder(context, chat.id, parentId, text)
}

async function askUnder(
  context: AnswerContext,
  chatId: string,
  parentId: string | null,
  text: string,
): Promise<void> {
  const question = createMessage(context, { chatId, parentId, role: 'user', content: text })
  context.chats.addMessage(question)
  await answerUnder(context, question)
}

async function answerUnder(context: AnswerContext, question: Message): Promise<void> {
  const { chatId, id } = question
  const answer = createMessage(context, { chatId, parentId: id, role: 'assistant', content: '' })
  context.chats.addMessage(answer)
  await run(context, answer, false)
}

/** Another version of a question, beside it, with an answer of its own. */
export async function editQuestion(context: AnswerContext, id: string, text: string) {
  const message = context.chats.getState().messages[id]
  if (message) await askUnder(context, message.chatId, message.parentId, text)
}

/** Another answer, beside this one. */
export async function regenerate(context: AnswerContext, id: string): Promise<void> {
  const { messages } = context.chats.getState()
  const question = messages[messages[id]?.parentId ?? '']
  if (question) await answerUnder(context, question)
}

/** An answer to a question that has none (its answer was deleted). */
export async function answerQuestion(context: AnswerContext, id: string): Promise<void> {
  const question = context.chats.getState().messages[id]
  if (question) await answerUnder(context, question)
}

/** Goes on from where an answer was cut, in its thinking too. */
export async function continueAnswer(context: AnswerContext, id: string): Promise<void> {
  const message = context.chats.getState().messages[id]
  if (!message) return
  const empty = message.content === '' && message.reasoning === ''
  await run(context, message, !empty)
}

/** Closes the thinking of the running answer of a chat. */
export async function endThinkingNow(context: AnswerContext, chatId: string): Promise<void> {
  const { chats } = context
  const running = chats.getState().runs[chatId]
  if (!running?.completionId || running.endingThinking) return
  chats.setRun(chatId, { ...running, endingThinking: true })
  try {
    await endThinking(running.completionId)
  } catch (error) {
    if (error instanceof ApiError) context.onReach(error.failure)
    const current = chats.getState().runs[chatId]
    if (current?.messageId === running.messageId)
      chats.setRun(chatId, { ...current, endingThinking: false })
  }
}
