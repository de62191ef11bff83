// A job's events to the Responses wire: the whole sequence of events, or the response at its end.
import type { Message } from '@hadal/text'
import type { Core } from '../core.ts'
import { type ApiError, toApiError } from '../errors.ts'
import type { Job, JobEvent } from '../job.ts'
import type { ServedFinish } from '../model.ts'
import type {
  OutputItem,
  ResponseEvent,
  ResponseResource,
  ResponsesUsage,
} from '../protocol/responses.ts'
import { folded } from '../respond.ts'
import { logprobsOf, textTokens } from './chat-response.ts'
import { type ItemEvent, isCall, OutputItems } from './responses-items.ts'
import type { ResponsesCall } from './responses-request.ts'
import { extensionOf, type Tokens } from './usage.ts'

type End = Pick<ResponseResource, 'status' | 'error' | 'incomplete_details'>

const running: End = { status: 'in_progress', error: null, incomplete_details: null }

function endOf(job: Job, finish: ServedFinish): End {
  const failed = (message: string): End => ({
    ...{ status: 'failed', incomplete_details: null },
    error: { code: 'server_error', message },
  })
  if (job.stopped === 'shutdown') return failed('the server is shutting down')
  if (job.stopped === 'timeout') return failed('a time limit of the server has passed')
  if (job.stopped) return { ...running, status: 'cancelled' }
  if (finish.reason === 'length' || finish.reason === 'context')
    return { ...running, status: 'incomplete', incomplete_details: { reason: 'max_output_tokens' } }
  return { ...running, status: 'completed' }
}

function usageOf({ prompt, cached, completion, reasoning }: Tokens): ResponsesUsage {
  return {
    input_tokens: prompt,
    input_tokens_details: { cached_tokens: cached },
    output_tokens: completion,
    output_tokens_details: { reasoning_tokens: reasoning },
    total_tokens: prompt + completion,
  }
}

/** What the request asked for, as the response says it again. */
function echo({
  body,
  model,
}: ResponsesCall): Omit<
  ResponseResource,
  keyof End | 'id' | 'created_at' | 'completed_at' | 'model' | 'output' | 'usage' | 'store'
> {
  const { sampling } = model.info
  return {
    object: 'response',
    previous_response_id: body.previous_response_id ?? null,
    instructions: body.instructions ?? null,
    tools: body.tools ?? [],
    tool_choice: body.tool_choice ?? 'auto',
    parallel_tool_calls: body.parallel_tool_calls ?? true,
    reasoning: { effort: body.reasoning?.effort ?? null, summary: null },
    text: { format: body.text?.format ?? { type: 'text' } },
    temperature: body.temperature ?? sampling?.temperature ?? 1,
    top_p: body.top_p ?? sampling?.topP ?? 1,
    presence_penalty: body.presence_penalty ?? 0,
    frequency_penalty: body.frequency_penalty ?? 0,
    top_logprobs: body.top_logprobs ?? 0,
    max_output_tokens: body.max_output_tokens ?? null,
    max_tool_calls: body.max_tool_calls ?? null,
    truncation: 'disabled',
    background: false,
    service_tier: 'default',
    metadata: body.metadata ?? {},
    user: body.user ?? null,
    safety_identifier: body.safety_identifier ?? null,
    prompt_cache_key: body.prompt_cache_key ?? null,
  }
}

/** One response while it is being made. */
class Making {
  readonly #core: Core
  readonly #job: Job
  readonly #call: ResponsesCall
  readonly #tokens: ReturnType<typeof textTokens>
  readonly #items = new OutputItems()
  readonly #store: boolean
  #number = 0
  /** Set once it has ended. */
  response: ResponseResource

  constructor(core: Core, job: Job, call: ResponsesCall) {
    this.#core = core
    this.#job = job
    this.#call = call
    this.#tokens = textTokens(call)
    this.#store = call.body.store !== false && core.responses.open
    this.response = this.#resource(running)
  }

  #resource(end: End): ResponseResource {
    const ended = end.status !== 'in_progress'
    return {
      ...{ id: this.#job.id, ...echo(this.#call), ...end, model: this.#call.modelName },
      created_at: this.#job.created,
      completed_at: end.status === 'completed' ? this.#job.now : null,
      output: ended ? this.#items.items : [],
      usage: ended ? usageOf(this.#job.tokens) : null,
      store: this.#store,
      ...(ended && { hadal: extensionOf(this.#job, this.#core.options.prices) }),
    }
  }

  #numbered(event: ItemEvent): ResponseEvent {
    return { ...event, sequence_number: this.#number++ } as ResponseEvent
  }

  *open(): Generator<ResponseEvent, void, void> {
    for (const type of ['response.created', 'response.in_progress'] as const)
      yield this.#numbered({ type, response: this.response })
  }

  *fold({ part, finish }: JobEvent): Generator<ResponseEvent, void, void> {
    if (part) {
      const logprobs = logprobsOf(this.#call, this.#tokens, part)?.content ?? []
      for (const event of this.#items.add(part, logprobs)) yield this.#numbered(event)
    }
    if (finish) yield* this.#end(endOf(this.#job, finish))
  }

  *#end(end: End): Generator<ResponseEvent, void, void> {
    const status = end.status === 'completed' ? 'completed' : 'incomplete'
    for (const event of this.#items.close(status)) yield this.#numbered(event)
    this.response = this.#resource(end)
    const { response } = this
    const { conversation } = this.#call
    // Before the client hears of the end, for it may go on at once.
    if (this.#store && end.status !== 'failed')
      this.#core.responses.put({ response, conversation: [...conversation, turn(response.output)] })
    const kind = status === 'completed' || end.status === 'failed' ? end.status : 'incomplete'
    yield this.#numbered({ type: `response.${kind as 'completed'}`, response })
  }

  *fail(error: ApiError): Generator<ResponseEvent, void, void> {
    const { code, message } = error
    yield* this.#end({ status: 'failed', error: { code, message }, incomplete_details: null })
  }
}

/** The items as the assistant's turn in a conversation. */
function turn(output: readonly OutputItem[]): Message {
  const texts = (type: 'message' | 'reasoning') =>
    output.flatMap((item) => (item.type === type ? item.content.map((part) => part.text) : []))
  const [reasoning, calls] = [texts('reasoning'), output.filter(isCall)]
  return {
    ...{ role: 'assistant', content: texts('message').join('\n') },
    ...(reasoning.length > 0 && { reasoning: reasoning.join('\n') }),
    ...(calls.length > 0 && {
      toolCalls: calls.map((call) => ({
        ...{ id: call.call_id, name: call.name, arguments: call.arguments },
      })),
    }),
  }
}

/** An error in the middle is the event `response.failed`. */
export async function* responseEvents(
  core: Core,
  job: Job,
  call: ResponsesCall,
): AsyncGenerator<ResponseEvent, void, void> {
  const making = new Making(core, job, call)
  let open = false
  const opening = function* () {
    open = true
    yield* making.open()
  }
  try {
    yield* folded(job, opening, (event) => making.fold(event))
  } catch (error) {
    if (!open) throw error
    yield* making.fail(toApiError(error))
  }
}

export async function wholeResponse(
  core: Core,
  job: Job,
  call: ResponsesCall,
): Promise<ResponseResource> {
  const making = new Making(core, job, call)
  for await (const event of job.events()) for (const _ of making.fold(event));
  return making.response
}
