// An Llm that says what a script says, for tests: it records its calls, obeys signals and return(), and refuses
// options that it does not know with the words of the real one.
import { type ChatFinish, type ChatOptions, type ChatPart, type Llm, OptionError } from 'hadal'

export type ScriptedPart =
  | { readonly reasoning: string }
  | { readonly text: string }
  | { readonly call: string; readonly arguments: unknown }
  /** Nothing comes until the request is stopped. */
  | { readonly wait: true }
  | { readonly error: Error }

export interface Turn {
  readonly parts: readonly ScriptedPart[]
  readonly finish?: Partial<ChatFinish>
}

type Messages = Parameters<Llm['chat']>[0]

export interface ScriptedLlm extends Llm {
  readonly calls: { readonly messages: Messages; readonly options: ChatOptions }[]
  /** Requests that began and did not end. */
  readonly running: number
  readonly disposals: number
}

const knownOptions = [
  ...['maxTokens', 'temperature', 'topP', 'topK', 'minP', 'seed', 'stop', 'tools', 'signal'],
  ...['presencePenalty', 'frequencyPenalty', 'repetitionPenalty', 'thinking', 'topLogprobs'],
  ...['maxReasoningTokens', 'onFinish', 'logitBias', 'stopIds', 'ignoreEos'],
  ...['responseFormat', 'toolChoice'],
]

/** Plays one turn for each call of chat. */
export function scriptedLlm(turns: readonly Turn[]): ScriptedLlm {
  const calls: ScriptedLlm['calls'] = []
  let [turn, running, disposals] = [0, 0, 0]
  const chat = (messages: Messages, options: ChatOptions = {}) => {
    const play = async function* (): AsyncGenerator<ChatPart, ChatFinish, void> {
      const unknown = Object.keys(options).find((name) => !knownOptions.includes(name))
      if (unknown) throw new OptionError(`chat: unknown option "${unknown}" (known: …)`)
      calls.push({ messages, options })
      const script = turns[turn++]
      if (!script) throw new Error(`the script has ${turns.length} turns`)
      running += 1
      try {
        return yield* perform(script, options.signal)
      } finally {
        running -= 1
      }
    }
    return play()
  }
  const rest = {
    calls,
    tokenizer: { decode: (ids: readonly number[]) => ids.map((id) => `<${id}>`).join('') },
    get running() {
      return running
    },
    get disposals() {
      return disposals
    },
    chat,
    async dispose() {
      disposals += 1
    },
  }
  return rest as unknown as ScriptedLlm
}

async function* perform(
  { parts, finish }: Turn,
  signal: AbortSignal | undefined,
): AsyncGenerator<ChatPart, ChatFinish, void> {
  const said: ChatPart[] = []
  for (const [i, scripted] of parts.entries()) {
    if ('error' in scripted) throw scripted.error
    if ('wait' in scripted) await aborted(signal)
    if (signal?.aborted) return { ...finishOf(said), reason: 'cancelled' }
    if ('wait' in scripted) continue
    const part = toPart(scripted, `call_${i}`)
    said.push(part)
    yield part
    await new Promise(setImmediate)
  }
  return { ...finishOf(said), ...finish }
}

function aborted(signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted) resolve()
    signal?.addEventListener('abort', () => resolve(), { once: true })
  })
}

function toPart(part: Exclude<ScriptedPart, { error: Error } | { wait: true }>, id: string) {
  if ('reasoning' in part) return { type: 'reasoning' as const, text: part.reasoning, atMs: 0 }
  if ('text' in part) return { type: 'text' as const, text: part.text, atMs: 0 }
  const toolCall = { id, name: part.call, arguments: JSON.stringify(part.arguments) }
  return { type: 'tool-call' as const, text: '', toolCall, atMs: 0 }
}

function finishOf(said: readonly ChatPart[]): ChatFinish {
  const texts = (type: string) => said.filter((part) => part.type === type).map((p) => p.text)
  return {
    reason: 'stop',
    promptTokens: 7,
    cachedTokens: 0,
    completionTokens: said.length,
    reasoningTokens: texts('reasoning').length,
    timeToFirstTokenMs: 1,
    tokensPerSecond: 100,
    text: texts('text').join(''),
    reasoning: texts('reasoning').join(''),
    toolCalls: said.flatMap((part) => (part.type === 'tool-call' ? [part.toolCall] : [])),
    reasoningMs: 2,
  }
}
