// Which device a model runs on. CUDA is taken when it has a kernel for every op that the model needs; what is in
// the way is said in one sentence, as an error or as the reason why 'auto' took the CPU.
import type { Checkpoint } from '@hadal/checkpoint'
import { Device, loadBinding, type OpName } from '@hadal/kernels'
import type { ModelConfig } from './config.ts'
import type { LoadModelOptions } from './types.ts'

const everyModel: readonly OpName[] = [
  ...(['embed_tokens', 'rms_norm', 'add_rms_norm', 'add', 'matmul', 'swiglu', 'rope'] as const),
  ...(['write_kv', 'gather_rows', 'sample'] as const),
]
const latent: readonly OpName[] = ['mla_absorb_query', 'mla_attention', 'mla_expand_value']
const experts: readonly OpName[] = [
  ...(['gated_top_k', 'permute_tokens', 'grouped_gemm', 'combine_experts'] as const),
]

/** The ops that the model's programs name, those of tests aside. */
export function neededOps(
  config: ModelConfig,
  checkpoint: Pick<Checkpoint, 'dtypes'>,
): readonly OpName[] {
  const deepseek = config.family === 'deepseek'
  return [
    ...everyModel,
    ...(deepseek ? latent : (['gqa_attention'] as const)),
    ...(deepseek && config.experts > 0 ? experts : []),
    ...('F8_E4M3' in checkpoint.dtypes ? (['fp8_matmul'] as const) : []),
  ]
}

/** Why this model cannot run on CUDA whatever the machine; undefined when it can. */
function missingKernels(needed: readonly OpName[]): string | undefined {
  const have = new Set(loadBinding().cudaOpList())
  const missing = needed.filter((name) => !have.has(name))
  if (missing.length === 0) return undefined
  return `CUDA: no kernels yet for ${missing.join(', ')}, which this model needs`
}

export interface ChosenDevice {
  readonly device: Device
  /** Why 'auto' took the CPU; undefined when the device was named or is a GPU. */
  readonly reason: string | undefined
}

const unsupported = (message: string) =>
  Object.assign(new Error(message), { code: 'ERR_HADAL_UNSUPPORTED' })

/** Throws ERR_HADAL_UNSUPPORTED when 'cuda' was asked for: what the machine lacks first, then what Hadal does. */
export function openDevice(
  needed: readonly OpName[],
  options: Pick<LoadModelOptions, 'device' | 'threads' | 'isa' | 'precision'>,
): ChosenDevice {
  const { device: wanted = 'auto', threads, isa, precision = 'fast' } = options
  const cpu = (reason?: string): ChosenDevice => ({
    device: Device.open({
      ...(threads !== undefined && { threads }),
      ...(isa !== undefined && { isa }),
    }),
    reason,
  })
  if (wanted === 'cpu') return cpu()
  // These are the CPU's: whoever asks for one has chosen.
  const ofCpu =
    isa !== undefined
      ? `isa: '${isa}' is an instruction set of the CPU`
      : precision === 'reference'
        ? "precision: 'reference' is the CPU's"
        : undefined
  if (wanted === 'cuda') {
    if (ofCpu !== undefined) throw unsupported(`device: 'cuda': ${ofCpu}`)
    const { problem } = loadBinding().cuda()
    const obstacle = problem || missingKernels(needed)
    if (obstacle) throw unsupported(`device: 'cuda': ${obstacle}`)
    return { device: Device.open({ device: 'cuda' }), reason: undefined }
  }
  const reason = ofCpu ?? (loadBinding().cuda().problem || missingKernels(needed))
  if (reason) return cpu(reason)
  try {
    return { device: Device.open({ device: 'cuda' }), reason: undefined }
  } catch (error) {
    return cpu((error as Error).message) // e.g. another process has all of its memory
  }
}
