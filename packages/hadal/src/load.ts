// load(): a checkpoint folder to a model that chats. Joins checkpoint, model, engine and text; owns them all.
import { type GenerationDefaults, openCheckpoint, readTextFiles } from '@hadal/checkpoint'
import { chat, Engine, type EngineDefaults, type Stream } from '@hadal/engine'
import { loadModel } from '@hadal/model'
import { nanoPath } from '@hadal/nano'
import { type ChatTemplate, createChatTemplate, createTokenizer, TextError } from '@hadal/text'
import { Constraints } from './constraints.ts'
import { checkNames, OptionError } from './options.ts'
import type { ChatOptions, GenerateCallOptions, Llm, LoadOptions } from './types.ts'

const loadOptionNames = [
  'device',
  'precision',
  'threads',
  'contextLength',
  'kvBytes',
  'maxSequences',
  'maxTokens',
  'isa',
  'onProgress',
]

function checkOptions(options: LoadOptions): void {
  checkNames('load', options, loadOptionNames)
  const { device = 'auto', precision = 'fast' } = options
  if (device !== 'auto' && device !== 'cpu')
    throw new OptionError(
      `load: device: expected 'auto' or 'cpu' (this build has no CUDA backend), got ${JSON.stringify(device)}`,
    )
  if (precision !== 'fast' && precision !== 'reference')
    throw new OptionError(
      `load: precision: expected 'fast' or 'reference', got ${JSON.stringify(precision)}`,
    )
}

/** Calls `onFinish` once with the stream's return value. A wrapper generator would make return() wait; this does not. */
function reporting<S extends Stream<unknown, R>, R>(
  stream: S,
  onFinish: ((finish: R) => void) | undefined,
): S {
  if (!onFinish) return stream
  let open = true
  const watch = <V>(result: IteratorResult<V, R>): IteratorResult<V, R> => {
    if (result.done && open) {
      open = false
      onFinish(result.value)
    }
    return result
  }
  const [next, end] = [stream.next.bind(stream), stream.return.bind(stream)]
  stream.next = () => next().then(watch)
  stream.return = (value) => end(value).then(watch)
  return stream
}

/**
 * Loads a checkpoint: a published folder with config.json, tokenizer.json and safetensors. Without a path, the
 * embedded model. Weights are used in place, from the mapped files.
 *
 * Throws CheckpointError (file, tensor or field), TextError (tokenizer, template), ModelError (memory, sizes),
 * OptionError (a wrong option), or an Error with code ERR_HADAL_NO_BINARY when the addon cannot be loaded.
 *
 * @example
 * const llm = await load()
 * for await (const part of llm.chat([{ role: 'user', content: 'What is 47 * 36?' }])) process.stdout.write(part.text)
 * await llm.dispose()
 */
export async function load(path: string = nanoPath, options: LoadOptions = {}): Promise<Llm> {
  checkOptions(options)
  const checkpoint = await openCheckpoint(path)
  const files = await readTextFiles(path)
  const tokenizer = createTokenizer(files)
  const template = optionalTemplate(() => createChatTemplate(files, tokenizer))
  const { eosTokenIds, ...generation } = checkpoint.generation
  const model = await loadModel(checkpoint, options)
  const ends =
    eosTokenIds.length > 0 ? eosTokenIds : tokenizer.eosId === undefined ? [] : [tokenizer.eosId]
  const engine = new Engine(model, { ...engineDefaults(generation), eosTokenIds: ends })
  const toolFormat = 'error' in template ? undefined : template.toolFormat
  const { vocabularySize } = model.info
  const constraints = new Constraints(tokenizer, vocabularySize, ends, toolFormat)
  let disposed: Promise<void> | undefined

  const llm: Llm = {
    info: {
      ...model.info,
      path,
      contextLength: engine.contextLength,
      kvBudgetBytes: model.limits.blockCount * model.limits.blockSize * model.info.kvBytesPerToken,
      thinkingSwitch: 'knowsThinking' in template && template.knowsThinking,
    },
    limits: model.limits,
    tokenizer,
    get stats() {
      return engine.stats
    },
    chat(messages, options: ChatOptions = {}) {
      if ('error' in template) throw template.error
      const {
        onFinish,
        responseFormat: _f,
        toolChoice: _c,
        parallelToolCalls: _p,
        ...rest
      } = options
      const constraint = constraints.of(options)
      const asked = { ...rest, ...(constraint && { constraint }) }
      return reporting(chat(engine, tokenizer, template, messages, asked), onFinish)
    },
    generate(prompt, options: GenerateCallOptions = {}) {
      const { onFinish, ...rest } = options
      const ids = typeof prompt === 'string' ? tokenizer.encode(prompt, { bos: true }) : prompt
      return reporting(engine.generate(ids, rest), onFinish)
    },
    forward: (ids, options) => engine.forward(ids, options),
    dispose() {
      disposed ??= engine.dispose().then(() => model.dispose())
      return disposed
    },
    [Symbol.asyncDispose]() {
      return llm.dispose()
    },
  }
  return llm
}

/** A model without a chat template still generates; chat() then throws why it cannot. */
function optionalTemplate(make: () => ChatTemplate): ChatTemplate | { readonly error: TextError } {
  try {
    return make()
  } catch (error) {
    if (error instanceof TextError) return { error }
    throw error
  }
}

/** The recommendations that the engine takes, under its names; ids go elsewhere. */
function engineDefaults(generation: Omit<GenerationDefaults, 'eosTokenIds'>): EngineDefaults {
  const { maxNewTokens, bosTokenId: _bos, padTokenId: _pad, ...shared } = generation
  return { ...shared, ...(maxNewTokens !== undefined && { maxTokens: maxNewTokens }) }
}
