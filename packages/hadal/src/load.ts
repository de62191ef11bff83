// load(): a checkpoint folder to a model that chats. Joins checkpoint, model, engine and text; owns them all.
import { join } from 'node:path'
import { type GenerationDefaults, openCheckpoint, readTextFiles } from '@hadal/checkpoint'
import {
  chat,
  type EngineDefaults,
  failedStream,
  resolveSampling,
  type Stream,
} from '@hadal/engine'
import { loadModel } from '@hadal/model'
import { nanoPath } from '@hadal/nano'
import {
  absentTokenizer,
  type ChatTemplate,
  createChatTemplate,
  createTokenizer,
  TextError,
  type Tokenizer,
} from '@hadal/text'
import { Constraints } from './constraints.ts'
import {
  checkChat,
  checkForward,
  checkGenerate,
  checkLoad,
  checkPrompt,
  splitLoad,
} from './options.ts'
import { endEngine, startEngine } from './start-engine.ts'
import type { ChatOptions, GenerateCallOptions, Llm, LoadOptions, PromptOptions } from './types.ts'

/** What is wrong with a call comes out of its stream's first next(), as everything else that goes wrong. */
function checked<T, R>(start: () => Stream<T, R>): Stream<T, R> {
  try {
    return start()
  } catch (error) {
    return failedStream(error)
  }
}

/** Calls `onFinish` once with the stream's return value. A wrapper generator would make return() wait; this does not. */
function reporting<S extends Stream<unknown, R>, R>(
  onFinish: ((finish: R) => void) | undefined,
  stream: S,
): S {
  if (!onFinish) return stream
  let open = true
  const watch = <V>(result: IteratorResult<V, R>): IteratorResult<V, R> => {
    if (result.done && open && result.value !== undefined) {
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
 * embedded model. Weights are used in place, from the mapped files. Without tokenizer.json the model works with
 * ids (generate, forward), and what needs text throws.
 *
 * Throws CheckpointError (file, tensor or field), TextError (tokenizer, template), ModelError (memory, sizes),
 * OptionError (a wrong option), or an Error with code ERR_HADAL_NO_BINARY when the addon cannot be loaded.
 *
 * @example
 * const llm = await load() // or load(folder), load(folder, options), load(options)
 * for await (const part of llm.chat([{ role: 'user', content: 'What is 47 * 36?' }])) process.stdout.write(part.text)
 * await llm.dispose()
 */
export async function load(options?: LoadOptions): Promise<Llm>
export async function load(folder: string | URL | undefined, options?: LoadOptions): Promise<Llm>
export async function load(
  first: string | URL | LoadOptions = nanoPath,
  second?: LoadOptions,
): Promise<Llm> {
  const [folder, options] = splitLoad(first, second, nanoPath)
  const path = checkLoad(folder, options)
  const checkpoint = await openCheckpoint(path)
  const { tokenizer, template } = await openText(path)
  const { eosTokenIds, ...generation } = checkpoint.generation
  const model = await loadModel(checkpoint, options)
  const ends =
    eosTokenIds.length > 0 ? eosTokenIds : tokenizer.eosId === undefined ? [] : [tokenizer.eosId]
  const defaults = { ...engineDefaults(generation), eosTokenIds: ends }
  const engine = await startEngine(model, defaults, options)
  const toolFormat = 'error' in template ? undefined : template.toolFormat
  const { vocabularySize } = model.info
  const constraints = new Constraints(tokenizer, vocabularySize, ends, toolFormat)
  const { temperature, topP } = resolveSampling({}, defaults, vocabularySize)
  let disposed: Promise<void> | undefined

  const llm: Llm = {
    info: {
      ...model.info,
      path,
      contextLength: engine.contextLength,
      kvBudgetBytes: model.limits.blockCount * model.limits.blockSize * model.info.kvBytesPerToken,
      thinkingSwitch: 'knowsThinking' in template && template.knowsThinking,
      sampling: { temperature, topP },
    },
    limits: model.limits,
    tokenizer,
    get stats() {
      return engine.stats
    },
    chat(messages, options: ChatOptions = {}) {
      return reporting(
        options?.onFinish,
        checked(() => {
          checkChat(options)
          if ('error' in template) throw template.error
          const constraint = constraints.of(options)
          const { onFinish, responseFormat, toolChoice, parallelToolCalls, ...rest } = options
          const asked = { ...rest, ...(constraint && { constraint }) }
          return chat(engine, tokenizer, template, messages, asked)
        }),
      )
    },
    countTokens(messages, options: PromptOptions = {}) {
      checkPrompt(options)
      if ('error' in template) throw template.error
      return template.render(messages, options).ids.length
    },
    generate(prompt, options: GenerateCallOptions = {}) {
      return reporting(
        options?.onFinish,
        checked(() => {
          checkGenerate(options)
          const { onFinish: _, ...rest } = options
          const ids = typeof prompt === 'string' ? tokenizer.encode(prompt, { bos: true }) : prompt
          return engine.generate(ids, rest)
        }),
      )
    },
    async forward(ids, options = {}) {
      checkForward(options)
      return engine.forward(ids, options)
    },
    savePrefixCache: (file) => engine.savePrefixCache(file),
    loadPrefixCache: (file) => engine.loadPrefixCache(file),
    drain: (options) => engine.drain(options),
    dispose() {
      disposed ??= endEngine(engine, model, options.prefixCachePath)
      return disposed
    },
    [Symbol.asyncDispose]() {
      return llm.dispose()
    },
  }
  return llm
}

interface Text {
  readonly tokenizer: Tokenizer
  /** A model without a chat template still generates; chat() then throws why it cannot. */
  readonly template: ChatTemplate | { readonly error: TextError }
}

async function openText(folder: string): Promise<Text> {
  const files = await readTextFiles(folder)
  if (!files) {
    const reason = `${join(folder, 'tokenizer.json')}: not there, so this model takes and gives ids only`
    return { tokenizer: absentTokenizer(reason), template: { error: new TextError(reason) } }
  }
  const tokenizer = createTokenizer(files)
  try {
    return { tokenizer, template: createChatTemplate(files, tokenizer) }
  } catch (error) {
    if (error instanceof TextError) return { tokenizer, template: { error } }
    throw error
  }
}

/** The recommendations that the engine takes, under its names; ids go elsewhere. */
function engineDefaults(generation: Omit<GenerationDefaults, 'eosTokenIds'>): EngineDefaults {
  const { maxNewTokens, bosTokenId: _bos, padTokenId: _pad, ...shared } = generation
  return { ...shared, ...(maxNewTokens !== undefined && { maxTokens: maxNewTokens }) }
}
