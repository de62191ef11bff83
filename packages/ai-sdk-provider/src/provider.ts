// createHadal(): names of models → language models. Loads a model when it is first asked, and disposes of what it loaded.
import { type LanguageModelV3, NoSuchModelError, type ProviderV3 } from '@ai-sdk/provider'
import type { Llm } from 'hadal'
import { toSdkError } from './errors.ts'
import { languageModel } from './model.ts'

/** A loaded model, or how to load it: called at the first request, and again when that failed. */
export type HadalSource = Llm | (() => Llm | Promise<Llm>)

export interface HadalProvider extends ProviderV3 {
  /** The model of this name; without one, the first. Throws NoSuchModelError. */
  (modelId?: string): LanguageModelV3
  languageModel(modelId?: string): LanguageModelV3
  /** Disposes of the models that this provider loaded; those it was given stay their owner's. */
  dispose(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

const onlyName = 'hadal'

/**
 * An AI SDK provider over models in this process. One model, which is called `hadal`, or several by name.
 *
 * @example
 * const hadal = createHadal(() => load('path/to/DeepSeek-R1'))
 * const { textStream } = streamText({ model: hadal(), prompt: 'What is 47 * 36?' })
 */
export function createHadal(
  source: HadalSource | Readonly<Record<string, HadalSource>>,
): HadalProvider {
  const models = new Map(
    Object.entries(isSource(source) ? { [onlyName]: source } : source).map(([name, from]) => [
      name,
      lazily(from),
    ]),
  )
  const names = [...models.keys()]
  const find = (modelId: string = names[0] ?? onlyName): LanguageModelV3 => {
    const model = models.get(modelId)
    if (model) return languageModel(modelId, model.get)
    throw new NoSuchModelError({
      modelId,
      modelType: 'languageModel',
      message: `No model "${modelId}"; expected one of ${names.join(', ')}`,
    })
  }
  const none = (modelType: 'embeddingModel' | 'imageModel') => (modelId: string) => {
    throw new NoSuchModelError({
      modelId,
      modelType,
      message: `Hadal has no ${modelType}, got "${modelId}"`,
    })
  }
  const dispose = async (): Promise<void> => {
    await Promise.all([...models.values()].map((model) => model.dispose()))
  }
  return Object.assign((modelId?: string) => find(modelId), {
    specificationVersion: 'v3' as const,
    languageModel: find,
    embeddingModel: none('embeddingModel'),
    imageModel: none('imageModel'),
    dispose,
    [Symbol.asyncDispose]: dispose,
  })
}

function isSource(source: object): source is HadalSource {
  return typeof source === 'function' || typeof (source as Partial<Llm>).chat === 'function'
}

/** Loads once; a failure is forgotten, so that the next request tries again. */
function lazily(source: HadalSource): { get(): Promise<Llm>; dispose(): Promise<void> } {
  if (typeof source !== 'function') return { get: async () => source, dispose: async () => {} }
  let loading: Promise<Llm> | undefined
  return {
    get() {
      loading ??= (async () => source())().catch((error) => {
        loading = undefined
        throw toSdkError(error, undefined)
      })
      return loading
    },
    async dispose() {
      const loaded = loading
      loading = undefined
      await (await loaded?.catch(() => undefined))?.dispose()
    },
  }
}
