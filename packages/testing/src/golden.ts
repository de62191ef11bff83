// Golden outputs of the fixtures: arrays by name, and the cases that they describe.
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { openCheckpoint, readSafetensorsHeader } from '@hadal/checkpoint'

/** A folder under fixtures/. */
export const fixture = (name: string): string =>
  path.join(path.dirname(fileURLToPath(import.meta.url)), '../../../fixtures', name)

export interface GoldenCase {
  readonly ids: Int32Array
  /** `[k, V]` logits of the last k positions. */
  readonly logitsLast: Float32Array
  readonly argmax: Int32Array
  readonly nll: Float32Array | undefined
  /** `[layers + 1, D]` of the last token. */
  readonly hidden: Float32Array | undefined
  readonly greedy: Int32Array | undefined
  readonly mtpLogitsLast: Float32Array | undefined
  readonly mtpArgmax: Int32Array | undefined
}

/** All cases of a fixture's golden.safetensors, in order. */
export async function loadGolden(name: string): Promise<GoldenCase[]> {
  const header = await readSafetensorsHeader(path.join(fixture(name), 'golden.safetensors'))
  const { readF32 } = await openCheckpoint(fixture(name))
  const floats = async (key: string) => {
    const entry = header.tensors.get(key)
    return entry && (await readF32(entry))
  }
  const ints = async (key: string) => {
    const values = await floats(key)
    return values && Int32Array.from(values)
  }
  const cases: GoldenCase[] = []
  for (let i = 0; header.tensors.has(`${i}.input_ids`); i++) {
    cases.push({
      ids: (await ints(`${i}.input_ids`)) as Int32Array,
      logitsLast: (await floats(`${i}.logits_last`)) as Float32Array,
      argmax: (await ints(`${i}.argmax`)) as Int32Array,
      nll: await floats(`${i}.nll`),
      hidden: await floats(`${i}.hidden_last_token`),
      greedy: await ints(`${i}.greedy`),
      mtpLogitsLast: await floats(`${i}.mtp_logits_last`),
      mtpArgmax: await ints(`${i}.mtp_argmax`),
    })
  }
  return cases
}
