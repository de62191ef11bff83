export * from './checkpoint.ts'
export * from './error.ts'
export * from './fields.ts'
export type { CheckpointFile } from './files.ts'
export * from './generation.ts'
export { impliedStorage, type Storage } from './implied.ts'
export type { JsonObject, JsonValue } from './json.ts'
export * from './numbers.ts'
export { preset, presetNames } from './presets.ts'
export {
  isQuantized,
  type QuantizeOptions,
  quantizeBlocks,
  quantizeCheckpoint,
} from './quantize.ts'
export * from './safetensors.ts'
export { type SynthOptions, synthCheckpoint } from './synth.ts'
export { moeLayers, tensorTable } from './tensor-table.ts'
export * from './text-files.ts'
export { type TensorSource, writeModel, writeSafetensors } from './write.ts'
