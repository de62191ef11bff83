// What the engine and a model say to each other. Plain data: no tensors, no requests, no text.

/** One step: T tokens of S sequences; the next token is wanted after N of them. */
export interface Batch {
  /** `[T]` token ids. */
  readonly ids: Int32Array
  /** `[T]` position of each token in its sequence, from 0. */
  readonly positions: Int32Array
  /** `[T]` where the token's KV goes: block · 64 + offset; −1: it is there already. */
  readonly slots: Int32Array
  /** `[T]` which sequence (row of `blockTable`) each token belongs to. */
  readonly tokenSeq: Int32Array
  /** `[S][]` KV blocks of each sequence, in order. */
  readonly blocks: readonly (readonly number[])[]
  /** `[N]` tokens (indices into `ids`) whose next token is wanted, with how to choose it. */
  readonly rows: Int32Array
  /** `[N]` how each row is sampled. */
  readonly sampling: readonly RowSampling[]
}

/** How one row is sampled. Neutral values: temperature 0 is greedy, topP 1, topK 0, minP 0, penalties 1, 0, 0. */
export interface RowSampling {
  readonly temperature: number
  readonly topP: number
  readonly topK: number
  readonly minP: number
  readonly repetitionPenalty: number
  readonly presencePenalty: number
  readonly frequencyPenalty: number
  /** 0..20 alternatives to report. */
  readonly topLogprobs: number
  /** 64-bit seed; the draw depends on it and on `counter` alone. */
  readonly seed: bigint
  /** Index of the token within the request. */
  readonly counter: number
  /** Ids that the penalties count (prompt and output); empty when no penalty is set. */
  readonly history: Int32Array | readonly number[]
  readonly bias: ReadonlyMap<number, number> | undefined
  /** Bit id % 32 of word id / 32: the id may be chosen. ceil(V / 32) words, read before step() returns. */
  readonly mask?: Uint32Array
}

export interface Sampled {
  /** `[N]`; −1 where a mask left nothing to choose. */
  readonly ids: Int32Array
  /** `[N]` natural log of the model's own probability of the chosen id. */
  readonly logprobs: Float32Array
  /** `[N, 20]` the most likely ids, descending; rows that asked for fewer hold −1 after them. */
  readonly topIds: Int32Array
  /** `[N, 20]` */
  readonly topLogprobs: Float32Array
}

export interface ForwardOptions {
  /** Also run the MTP module: `mtpLogits[t]` predicts token t+2. Error if the model has none. */
  readonly mtp?: boolean
  /** Only logits of the last `lastLogits` positions (default: all). */
  readonly lastLogits?: number
  /** Also return the residual stream after embedding and after every layer (tests; costs memory). */
  readonly hiddenStates?: boolean
  /** Also return the experts chosen, per MoE layer `[T, K]`. */
  readonly routing?: boolean
  /** Tokens per step; default the model's own. */
  readonly chunk?: number
  readonly signal?: AbortSignal
}

export interface Forward {
  /** `[T, V]` or `[lastLogits, V]` */
  readonly logits: Float32Array
  /** `[T-1, V]` */
  readonly mtpLogits?: Float32Array
  /** per layer `[T, D]`: embedding first, then after each layer; the last is after the final norm, as the goldens have it. */
  readonly hiddenStates?: readonly Float32Array[]
  /** per MoE layer `[T, K]` */
  readonly routing?: readonly Int32Array[]
}

export interface ModelLimits {
  /** Most tokens of one step. */
  readonly maxTokens: number
  /** Most sequences of one step. */
  readonly maxSequences: number
  /** Most rows with logits of one step. */
  readonly maxRows: number
  /** Longest sequence. */
  readonly contextLength: number
  /** Tokens per KV block: 64. */
  readonly blockSize: number
  /** KV blocks in the budget. */
  readonly blockCount: number
}

export interface ModelInfo {
  /** `DeepseekV3ForCausalLM` … as the config says. */
  readonly architecture: string
  readonly modelType: string
  readonly parameters: number
  readonly activeParameters: number
  /** Parameters of the MTP module, not counted above. */
  readonly mtpParameters: number
  /** Weight bytes in the files. */
  readonly bytes: number
  /** Bytes per dtype name. */
  readonly dtypes: Readonly<Record<string, number>>
  readonly kvBytesPerToken: number
  readonly layers: number
  readonly vocabularySize: number
  readonly hasMtp: boolean
  readonly precision: 'fast' | 'reference'
  /** `cpu (avx512)`, `cuda (NVIDIA H100 80GB HBM3)` */
  readonly device: string
  /** Why `device: 'auto'` took the CPU, in one sentence. */
  readonly deviceReason?: string
  /** Of the CPU's kernels; 0 on a GPU. */
  readonly threads: number
}

export interface Model {
  readonly info: ModelInfo
  readonly limits: ModelLimits
  /** Runs one step and samples. One step at a time; a second call while one runs throws. */
  step(batch: Batch, signal?: AbortSignal): Promise<Sampled>
  /** All logits of one sequence, whose KV goes to `blocks` (enough for ids.length tokens), in chunks. */
  forward(ids: Int32Array, blocks: readonly number[], options?: ForwardOptions): Promise<Forward>
  /** What the bits of a KV block depend on, by name: files, precision, instruction set, layout. */
  readonly fingerprint: Readonly<Record<string, string>>
  /** Bytes of one block in `readBlocks` and `writeBlocks`. */
  readonly blockBytes: number
  /**
   * Contents of KV blocks, one after the other, without those of the MTP module. May be called during
   * a step, for blocks that it does not write.
   */
  readBlocks(blocks: readonly number[]): Uint8Array
  /** The inverse of `readBlocks`, for blocks that no step reads. */
  writeBlocks(blocks: readonly number[], bytes: Uint8Array): void
  /** Gives the memory of freed KV blocks back to the system; call when idle. */
  trim(freeBlocks: readonly number[]): void
  dispose(): Promise<void>
}

export interface LoadModelOptions {
  /** Default 'auto': CUDA where it is usable and has all that the model needs, else the CPU. */
  readonly device?: 'auto' | 'cpu' | 'cuda'
  readonly precision?: 'fast' | 'reference'
  /** Default: the physical cores that this process may use. */
  readonly threads?: number
  /** Forces a kernel set: 'avx512bf16' | 'avx512vbmi' | 'avx512' | 'avx2' | 'portable'. Also by the environment: HADAL_ISA. */
  readonly isa?: string
  /** Tokens; default: min(model's, 8192), shortened down to 1024 where memory allows no more. */
  readonly contextLength?: number
  /** Bytes for the KV cache; default: contextLength tokens × maxSequences, at most a share of free memory. */
  readonly kvBytes?: number
  readonly maxSequences?: number
  readonly maxTokens?: number
  readonly onProgress?: (progress: { stage: string; done: number; total: number }) => void
}
