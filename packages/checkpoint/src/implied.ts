// What a config alone says about its files: tensors and bytes by dtype, as the model's authors publish them.
import { fields } from './fields.ts'
import type { JsonObject } from './json.ts'
import { isQuantized } from './quantize.ts'
import { tensorTable } from './tensor-table.ts'

export interface Storage {
  readonly tensors: number
  readonly bytes: number
  /** Bytes by dtype name. */
  readonly dtypes: Readonly<Record<string, number>>
}

const wide: Readonly<Record<string, readonly [string, number]>> = {
  float32: ['F32', 4],
  float16: ['F16', 2],
  bfloat16: ['BF16', 2],
}

/** More than any published model has; the table of a hostile config must not fill the memory. */
const mostExperts = 1_000_000

/** Throws a CheckpointError for a config whose fields make no model. */
export function impliedStorage(config: JsonObject, file = 'config.json'): Storage {
  const f = fields(config, file)
  const perLayer = f.int('n_routed_experts', {}, 0)
  if (perLayer * f.int('num_hidden_layers') > mostExperts)
    f.fail('n_routed_experts', `at most ${mostExperts} in all layers`)
  const [dtype, size] = wide[f.string('torch_dtype', '')] ?? ['BF16', 2]
  const quantization = f.object('quantization_config')
  const block = quantization?.raw('weight_block_size')
  const [rows, columns] = Array.isArray(block) ? (block as number[]) : [128, 128]
  const dtypes: Record<string, number> = {}
  let tensors = 0
  const count = (name: string, bytes: number) => {
    tensors++
    dtypes[name] = (dtypes[name] ?? 0) + bytes
  }
  for (const { name, shape } of tensorTable(config, file)) {
    const values = shape.reduce((product, n) => product * n, 1)
    if (quantization && isQuantized(name, shape)) {
      const [height = 1, width = 1] = shape
      count('F8_E4M3', values)
      count('F32', 4 * Math.ceil(height / (rows || 128)) * Math.ceil(width / (columns || 128)))
    } else if (name.endsWith('e_score_correction_bias')) count('F32', 4 * values)
    else count(dtype, size * values)
  }
  const bytes = Object.values(dtypes).reduce((sum, n) => sum + n, 0)
  return { tensors, bytes, dtypes }
}
