// One language model of the AI SDK over one Llm. The engine starts when a call comes, and stops at once when its
// signal aborts or its stream is cancelled.
import { randomUUID } from 'node:crypto'
import type {
  LanguageModelV3,
  LanguageModelV3CallOptions,
  LanguageModelV3Content,
  LanguageModelV3GenerateResult,
  LanguageModelV3ResponseMetadata,
  LanguageModelV3StreamPart,
  LanguageModelV3StreamResult,
} from '@ai-sdk/provider'
import type { ChatFinish, ChatPart, Llm, Stream } from 'hadal'
import { Answer } from './answer.ts'
import { type Call, toCall } from './call.ts'
import { abortError, toSdkError } from './errors.ts'

type Source = Stream<ChatPart, ChatFinish>
type Step = IteratorResult<ChatPart, ChatFinish>

/** A request that has its first part, so that whatever is wrong with it has been said. */
interface Opened {
  readonly call: Call
  readonly source: Source
  readonly first: Step
  readonly answer: Answer
  readonly response: LanguageModelV3ResponseMetadata
}

export function languageModel(modelId: string, get: () => Promise<Llm>): LanguageModelV3 {
  const begin = async (options: LanguageModelV3CallOptions): Promise<Opened> => {
    const { abortSignal: signal, prompt } = options
    const call = toCall(options)
    const llm = await unlessAborted(get(), signal)
    const source = llm.chat(call.messages, call.options)
    const first = await source.next().catch((error) => {
      throw signal?.aborted ? abortError(signal) : toSdkError(error, prompt)
    })
    if (signal?.aborted) throw abortError(signal)
    const response = { id: `hadal-${randomUUID()}`, timestamp: new Date(), modelId }
    return { call, source, first, answer: new Answer(llm.tokenizer), response }
  }
  return {
    specificationVersion: 'v3',
    provider: 'hadal',
    modelId,
    // "Every address is supported" keeps the AI SDK from fetching files that the prompt's check then refuses.
    supportedUrls: { '*/*': [/.*/] },
    doGenerate: async (options) => generate(await begin(options), options),
    doStream: async (options) => stream(await begin(options), options),
  }
}

function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return promise
  return new Promise((resolve, reject) => {
    const abort = () => reject(abortError(signal))
    if (signal.aborted) abort()
    signal.addEventListener('abort', abort, { once: true })
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort))
  })
}

const body = ({ messages, options: { signal: _, ...options } }: Call) => ({ messages, ...options })

async function generate(
  opened: Opened,
  { abortSignal: signal, prompt }: LanguageModelV3CallOptions,
): Promise<LanguageModelV3GenerateResult> {
  const { source, answer, call, response } = opened
  const content: LanguageModelV3Content[] = []
  try {
    let step = opened.first
    for (; !step.done; step = await source.next())
      for (const part of answer.push(step.value)) collect(content, part)
    if (signal?.aborted) throw abortError(signal)
    const finish = answer.end(step.value).find((part) => part.type === 'finish')!
    const { type: _, ...summary } = finish
    const request = { body: body(call) }
    return { ...summary, content, warnings: [...call.warnings], request, response }
  } catch (error) {
    throw signal?.aborted ? abortError(signal) : toSdkError(error, prompt)
  }
}

function collect(content: LanguageModelV3Content[], part: LanguageModelV3StreamPart): void {
  const last = content.at(-1)
  if (part.type === 'text-start') content.push({ type: 'text', text: '' })
  else if (part.type === 'reasoning-start') content.push({ type: 'reasoning', text: '' })
  else if (part.type === 'tool-call') content.push(part)
  else if (part.type === 'text-delta' || part.type === 'reasoning-delta')
    if (last?.type === 'text' || last?.type === 'reasoning') last.text += part.delta
}

function stream(
  opened: Opened,
  { abortSignal: signal, prompt, includeRawChunks }: LanguageModelV3CallOptions,
): LanguageModelV3StreamResult {
  const { source, answer, call, response } = opened
  let first: Step | undefined = opened.first
  let cancelled = false
  const next = async (): Promise<{ parts: LanguageModelV3StreamPart[]; done: boolean }> => {
    try {
      const step = first ?? (await source.next())
      first = undefined
      if (step.done) return { parts: answer.end(step.value), done: true }
      const raw = includeRawChunks ? [{ type: 'raw' as const, rawValue: step.value }] : []
      return { parts: [...raw, ...answer.push(step.value)], done: false }
    } catch (error) {
      return { parts: answer.fail(toSdkError(error, prompt)), done: true }
    }
  }
  return {
    request: { body: body(call) },
    stream: new ReadableStream<LanguageModelV3StreamPart>({
      start(controller) {
        controller.enqueue({ type: 'stream-start', warnings: [...call.warnings] })
        controller.enqueue({ type: 'response-metadata', ...response })
      },
      async pull(controller) {
        const { parts, done } = await next()
        if (cancelled) return
        // An aborted fetch fails with the reason, and that is what the AI SDK takes for an abort.
        if (signal?.aborted) return controller.error(abortError(signal))
        for (const part of parts) controller.enqueue(part)
        if (done) controller.close()
      },
      async cancel() {
        cancelled = true
        await source.return()
      },
    }),
  }
}
