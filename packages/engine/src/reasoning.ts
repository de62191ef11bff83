// The reasoning budget, at the level of ids: counts what is thought, and says which ids close the
// thinking when the budget runs out or the caller has seen enough. Knows no text.

export interface ReasoningOptions {
  /** The prompt already opened the thinking. */
  readonly open: boolean
  /** Id that opens thinking in the output, e.g. that of `<think>`. */
  readonly openId?: number
  /** Id that closes it, e.g. that of `</think>`. */
  readonly closeId: number
  /** Ids that end it as well, e.g. that of the beginning of a tool call. */
  readonly exitIds?: readonly number[]
  /** Most ids of thinking; none: no limit. */
  readonly budget?: number
  /** Ids put in the model's mouth when the budget runs out; `closeId` must be among them. */
  readonly closeIds: Int32Array
  /** When it fires, thinking that is open, or opens later, is closed before the next id. */
  readonly endSignal?: AbortSignal
}

export interface ReasoningState {
  open: boolean
  /** Ids thought so far; the tags and forced ids are not counted. */
  tokens: number
}

const none: Int32Array = new Int32Array(0)

export function startReasoning(options: ReasoningOptions | undefined): ReasoningState {
  return { open: options?.open ?? false, tokens: 0 }
}

/** Takes note of one id of the output. */
export function observe(
  state: ReasoningState,
  options: ReasoningOptions | undefined,
  id: number,
  forced: boolean,
): void {
  if (!options) return
  if (id === options.closeId || options.exitIds?.includes(id)) state.open = false
  else if (id === options.openId) state.open = true
  else if (state.open && !forced) state.tokens++
}

/** The caller wants no more of the thinking that is going on. */
export function wantsEnd(state: ReasoningState, options: ReasoningOptions | undefined): boolean {
  return state.open && options?.endSignal?.aborted === true
}

/** The ids to force now: `closeIds` when thinking goes on and is used up or unwanted, else none. */
export function idsToForce(
  state: ReasoningState,
  options: ReasoningOptions | undefined,
): Int32Array {
  if (!options || !state.open) return none
  const used = options.budget !== undefined && state.tokens >= options.budget
  return used || wantsEnd(state, options) ? options.closeIds : none
}
