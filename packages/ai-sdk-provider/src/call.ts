// The AI SDK's call options → options of llm.chat, with a warning for each thing that cannot be done.
import type {
  LanguageModelV3CallOptions,
  LanguageModelV3FunctionTool,
  LanguageModelV3ProviderTool,
  SharedV3Warning,
} from '@ai-sdk/provider'
import type { ChatOptions, Message } from 'hadal'
import { toMessages } from './prompt.ts'

/**
 * `providerOptions.hadal`: every option of `llm.chat` that the AI SDK has no setting for, under its own name. Where it
 * has one (temperature, …), the one given here wins.
 */
export type HadalProviderOptions = Omit<ChatOptions, 'signal' | 'onFinish' | 'tools' | 'stop'>

export interface Call {
  readonly messages: readonly Message[]
  readonly options: ChatOptions
  readonly warnings: readonly SharedV3Warning[]
}

export function toCall(options: LanguageModelV3CallOptions): Call {
  const warnings: SharedV3Warning[] = []
  const tools = toTools(options.tools ?? [], warnings)
  const chat = {
    ...settings(options),
    ...constraints(options, tools.length > 0),
    ...(options.providerOptions?.hadal as HadalProviderOptions | undefined),
    ...(tools.length > 0 && { tools }),
    ...(options.abortSignal && { signal: options.abortSignal }),
  }
  return { messages: toMessages(options.prompt), options: chat, warnings }
}

function settings(options: LanguageModelV3CallOptions): ChatOptions {
  const { maxOutputTokens, stopSequences, temperature, topP, topK, seed } = options
  const { presencePenalty, frequencyPenalty } = options
  return given({
    maxTokens: maxOutputTokens,
    stop: stopSequences?.length ? stopSequences : undefined,
    ...{ temperature, topP, topK, seed, presencePenalty, frequencyPenalty },
  })
}

type Given<T> = { readonly [K in keyof T]?: Exclude<T[K], undefined> }

/** Without what is undefined. */
function given<T extends object>(values: T): Given<T> {
  return Object.fromEntries(
    Object.entries(values).filter(([, value]) => value !== undefined),
  ) as Given<T>
}

function constraints(
  { responseFormat, toolChoice }: LanguageModelV3CallOptions,
  hasTools: boolean,
): object {
  const asked = hasTools ? toolChoice : undefined
  return given({
    responseFormat:
      responseFormat?.type !== 'json'
        ? undefined
        : responseFormat.schema === undefined
          ? { type: 'json_object' }
          : given({
              type: 'json_schema',
              schema: responseFormat.schema,
              name: responseFormat.name,
            }),
    toolChoice:
      asked === undefined || asked.type === 'auto'
        ? undefined
        : asked.type === 'tool'
          ? { name: asked.toolName }
          : asked.type,
  })
}

/** As chat templates want them, which is as OpenAI writes them. */
function toTools(
  tools: readonly (LanguageModelV3FunctionTool | LanguageModelV3ProviderTool)[],
  warnings: SharedV3Warning[],
): object[] {
  return tools.flatMap((tool) => {
    if (tool.type !== 'function') {
      const details = 'tools that a provider runs do not exist on your own machine'
      warnings.push({ type: 'unsupported', feature: `tool ${tool.id}`, details })
      return []
    }
    const { name, description, inputSchema, strict } = tool
    return [
      { type: 'function', function: given({ name, description, parameters: inputSchema, strict }) },
    ]
  })
}
