// Plain completions: prompts of text or ids, and fill-in-the-middle where the tokenizer has its tokens.
import type { Tokenizer } from '@hadal/text'
import type { Core, Ctx } from '../core.ts'
import { invalid } from '../errors.ts'
import type { Job } from '../job.ts'
import type { ServedModel, ServedPart } from '../model.ts'
import type { FinishReason } from '../protocol/common.ts'
import type { Completion, CompletionLogprobs, CompletionRequest } from '../protocol/other.ts'
import { textParts } from '../text-parts.ts'
import { finishReason } from './chat-response.ts'
import { tokenLogprobs } from './logprobs.ts'
import { checkChoices, checkLength, given, seedOf, sharedOptions, stopTexts } from './sampling.ts'
import { extensionOf, usageOf } from './usage.ts'

export interface CompletionCall {
  readonly model: ServedModel
  readonly modelName: string
  readonly prompts: readonly Int32Array[]
  /** What each choice's text begins with: its prompt, with `echo`. */
  readonly openings: readonly string[]
  readonly logprobs: boolean
  readonly choices: number
}

type Prompt = string | readonly number[]

function promptList(prompt: CompletionRequest['prompt']): readonly Prompt[] {
  if (typeof prompt === 'string') return [prompt]
  if (typeof prompt[0] === 'number') return [prompt as readonly number[]]
  return prompt as readonly Prompt[]
}

/** DeepSeek's order: what is before the gap, the gap, what is after it. */
function fillInTheMiddle(prompt: Prompt, suffix: string, tokenizer: Tokenizer): Int32Array {
  const names = ['<｜fim▁begin｜>', '<｜fim▁hole｜>', '<｜fim▁end｜>']
  const [begin, hole, end] = names.map((name) => tokenizer.idOf(name))
  if (begin === undefined || hole === undefined || end === undefined)
    throw invalid(
      'suffix',
      'expected a model with tokens for filling in the middle, got one without',
      'not_supported',
    )
  if (typeof prompt !== 'string') throw invalid('suffix', 'expected a prompt of text beside it')
  const bos = tokenizer.bosId === undefined ? [] : [tokenizer.bosId]
  const [before, after] = [tokenizer.encode(prompt), tokenizer.encode(suffix)]
  return Int32Array.from([...bos, begin, ...before, hole, ...after, end])
}

function encode(
  prompt: Prompt,
  suffix: string | undefined,
  model: ServedModel,
  at: string,
): Int32Array {
  const { tokenizer, info } = model
  if (suffix !== undefined) return fillInTheMiddle(prompt, suffix, tokenizer)
  if (typeof prompt === 'string') {
    const ids = tokenizer.encode(prompt, { bos: true })
    if (ids.length === 0) throw invalid(at, 'expected at least one character, got none')
    return ids
  }
  const wrong = prompt.find((id) => id >= info.vocabularySize)
  if (wrong !== undefined)
    throw invalid(at, `expected ids from 0 to ${info.vocabularySize - 1}, got ${wrong}`)
  return Int32Array.from(prompt)
}

export function startCompletion(
  c: Ctx,
  core: Core,
  body: CompletionRequest,
): { job: Job; call: CompletionCall } {
  const { model, name } = core.resolve(body.model)
  const n = body.n ?? 1
  if (body.best_of && body.best_of !== n)
    throw invalid('best_of', `expected ${n} (as n) or nothing, got ${body.best_of}`)
  const list = promptList(body.prompt)
  checkChoices('n', list.length * n, core.limits.choices)
  const suffix = body.suffix || undefined
  for (const prompt of list) {
    const characters = prompt.length + (suffix?.length ?? 0)
    checkLength('prompt', characters, model, core.limits.charactersPerToken)
  }
  const logprobs = body.logprobs !== null && body.logprobs !== undefined
  if (body.echo && logprobs)
    throw invalid('echo', 'expected no logprobs beside it: the prompt has none', 'not_supported')
  const prompts = list.map((prompt, i) =>
    encode(prompt, suffix, model, list.length > 1 ? `prompt[${i}]` : 'prompt'),
  )
  if (core.log.level === 'prompts') c.set('prompt', { prompt: body.prompt, suffix })
  const shared = sharedOptions(body, model, body.max_tokens)
  const options = {
    ...{ ...shared, ...given({ cacheSalt: c.get('cacheSalt') }) },
    ...(logprobs && { topLogprobs: body.logprobs ?? 0 }),
  }
  const stop = stopTexts(body.stop) ?? []
  const openings = list.map((prompt) => {
    if (!body.echo) return ''
    return typeof prompt === 'string' ? prompt : model.tokenizer.decode(prompt)
  })
  const choices = list.length * n
  const job = core.start(c, {
    prefix: 'cmpl-',
    choices,
    perPrompt: n,
    start: (choice, { signal }) => {
      const ids = prompts[Math.floor(choice / n)] as Int32Array
      const seed = seedOf(body.seed, choice % n)
      const tokens = model.generate(ids, { ...options, ...seed, signal })
      return textParts(tokens, model.tokenizer, stop)
    },
  })
  const perChoice = Array.from({ length: choices }, (_, i) => openings[Math.floor(i / n)] as string)
  return { job, call: { model, modelName: name, prompts, openings: perChoice, logprobs, choices } }
}

function legacyLogprobs(
  call: CompletionCall,
  part: ServedPart,
  offset: number,
): CompletionLogprobs | null {
  if (!call.logprobs) return null
  const list = tokenLogprobs(call.model.tokenizer, part.tokens ?? [])
  let at = offset
  return {
    tokens: list.map(({ token }) => token),
    token_logprobs: list.map(({ logprob }) => logprob),
    top_logprobs: list.map(({ top_logprobs }) =>
      Object.fromEntries(top_logprobs.map(({ token, logprob }) => [token, logprob])),
    ),
    text_offset: list.map(({ token }) => {
      const start = at
      at += token.length
      return start
    }),
  }
}

function join(
  a: CompletionLogprobs | null,
  b: CompletionLogprobs | null,
): CompletionLogprobs | null {
  if (!a || !b) return a ?? b
  return {
    tokens: [...a.tokens, ...b.tokens],
    token_logprobs: [...a.token_logprobs, ...b.token_logprobs],
    top_logprobs: [...(a.top_logprobs ?? []), ...(b.top_logprobs ?? [])],
    text_offset: [...a.text_offset, ...b.text_offset],
  }
}

const headOf = (core: Core, job: Job, call: CompletionCall) => ({
  id: job.id,
  object: 'text_completion' as const,
  created: job.created,
  model: call.modelName,
  system_fingerprint: core.fingerprint,
})

export async function* completionChunks(
  core: Core,
  job: Job,
  call: CompletionCall,
  includeUsage: boolean,
): AsyncGenerator<Completion, void, void> {
  const head = headOf(core, job, call)
  const lengths = call.openings.map((text) => text.length)
  const chunk = (
    index: number,
    text: string,
    logprobs: CompletionLogprobs | null = null,
    finish_reason: FinishReason | null = null,
  ): Completion => ({
    ...head,
    choices: [{ index, text, logprobs, finish_reason }],
    ...(includeUsage && { usage: null }),
  })
  for (const [index, text] of call.openings.entries()) if (text !== '') yield chunk(index, text)
  let open = call.choices
  for await (const { choice, part, finish } of job.events()) {
    if (part) {
      const offset = lengths[choice] as number
      lengths[choice] = offset + part.text.length
      yield chunk(choice, part.text, legacyLogprobs(call, part, offset))
    } else if (finish) {
      open--
      const end = chunk(choice, '', null, finishReason(job, finish, 0))
      const last = open === 0 && !includeUsage
      yield last ? { ...end, hadal: extensionOf(job, core.options.prices) } : end
    }
  }
  const { prices } = core.options
  if (includeUsage)
    yield { ...head, choices: [], usage: usageOf(job.tokens), hadal: extensionOf(job, prices) }
}

export async function completion(core: Core, job: Job, call: CompletionCall): Promise<Completion> {
  const choices = call.openings.map((text, index) => ({
    index,
    text,
    logprobs: null as CompletionLogprobs | null,
    finish_reason: 'stop' as FinishReason,
  }))
  for await (const { choice: index, part, finish } of job.events()) {
    const choice = choices[index] as (typeof choices)[number]
    if (part) {
      choice.logprobs = join(choice.logprobs, legacyLogprobs(call, part, choice.text.length))
      choice.text += part.text
    } else if (finish) choice.finish_reason = finishReason(job, finish, 0)
  }
  return {
    ...headOf(core, job, call),
    choices,
    usage: usageOf(job.tokens),
    hadal: extensionOf(job, core.options.prices),
  }
}
