// From an open checkpoint to a running model: config, memory budget, weights, programs.
import { createHash } from 'node:crypto'
import path from 'node:path'
import type { Checkpoint } from '@hadal/checkpoint'
import type { Device } from '@hadal/kernels'
import { type ModelConfig, parseConfig } from './config.ts'
import type { Decoder } from './decoder.ts'
import { type DecoderOptions, deepseekDecoder } from './deepseek/decoder.ts'
import { denseDecoder } from './dense/decoder.ts'
import { neededOps, openDevice } from './device.ts'
import { modelSize } from './info.ts'
import { makeStepTensors } from './inputs.ts'
import { createModel } from './model.ts'
import { recordPrograms } from './programs.ts'
import type { LoadModelOptions, Model, ModelInfo, ModelLimits } from './types.ts'
import { openWeights } from './weights.ts'

const blockSize = 64

/** Thrown when a model, its cache or an option does not fit; the message holds the numbers. */
export class ModelError extends Error {
  readonly code = 'ERR_HADAL_MODEL'
  override readonly name = 'ModelError'
}

function whole(name: string, value: number | undefined, fallback: number): number {
  if (value === undefined) return fallback
  if (!Number.isSafeInteger(value) || value < 1)
    throw new ModelError(
      `${name}: expected a whole number of at least 1, got ${JSON.stringify(value)}`,
    )
  return value
}

/** A context that nobody asked for is shortened to what memory allows, down to this. */
const shortestContext = 1024

/** Context length, KV blocks and step sizes from the options and the memory that there is. */
export function planLimits(
  config: ModelConfig,
  options: LoadModelOptions,
  kvBytesPerToken: number,
  memoryAvailable: number,
): ModelLimits {
  const wanted = whole('contextLength', options.contextLength, Math.min(config.maxPositions, 8192))
  if (wanted > config.maxPositions)
    throw new ModelError(
      `contextLength: expected at most ${config.maxPositions} (the model's), got ${wanted}`,
    )
  const maxSequences = whole('maxSequences', options.maxSequences, 32)
  const blockBytes = blockSize * kvBytesPerToken
  const share = Math.floor(memoryAvailable / 4)
  const budget = whole(
    'kvBytes',
    options.kvBytes,
    Math.min(Math.ceil(wanted / blockSize) * maxSequences * blockBytes, share),
  )
  const blockCount = Math.floor(budget / blockBytes)
  const shortest = options.contextLength ?? Math.min(wanted, shortestContext)
  const contextLength = Math.max(Math.min(wanted, blockCount * blockSize), shortest)
  const perSequence = Math.ceil(contextLength / blockSize)
  if (blockCount < perSequence)
    throw new ModelError(
      `KV cache: one sequence of ${contextLength} tokens needs ${perSequence * blockBytes} bytes, the budget is ${budget}; lower contextLength or raise kvBytes`,
    )
  if (budget > memoryAvailable)
    throw new ModelError(
      `kvBytes: expected at most the ${memoryAvailable} bytes of free memory, got ${budget}`,
    )
  return {
    maxTokens: whole('maxTokens', options.maxTokens, 256),
    maxSequences,
    maxRows: Math.max(maxSequences, 64),
    contextLength,
    blockSize,
    blockCount,
  }
}

function readDecoder(
  config: ModelConfig,
  checkpoint: Checkpoint,
  device: Device,
  options: DecoderOptions,
): Promise<Decoder> {
  const weights = openWeights(checkpoint, device)
  return config.family === 'deepseek'
    ? deepseekDecoder(config, weights, device, options)
    : denseDecoder(config, weights, device, options)
}

/** What the bits of a KV block depend on: a saved one fits only where all of it is the same. */
function fingerprintOf(
  checkpoint: Checkpoint,
  device: Device,
  precision: string,
  kvDtype: string,
): Record<string, string> {
  const files = checkpoint.files.map((file) => [
    path.basename(file.path),
    file.size,
    String(file.mtimeNs),
  ])
  const known = JSON.stringify([files.sort(), checkpoint.config])
  return {
    checkpoint: createHash('sha256').update(known).digest('hex'),
    precision,
    isa: device.isa,
    kvDtype,
    blockSize: String(blockSize),
    kernels: device.binding.version(),
  }
}

/**
 * Loads a model. Weights stay in the mapped files.
 * Throws CheckpointError (file, tensor or field), ModelError (memory, options), or the addon's errors.
 */
export async function loadModel(
  checkpoint: Checkpoint,
  options: LoadModelOptions = {},
): Promise<Model> {
  const config = parseConfig(checkpoint.config, checkpoint.configFile)
  const precision = options.precision ?? 'fast'
  const needed = neededOps(config, checkpoint)
  const { device, reason } = openDevice(needed, {
    ...options,
    ...(options.threads !== undefined && { threads: whole('threads', options.threads, 1) }),
  })
  try {
    const size = modelSize(config)
    const kvDtype = precision === 'fast' ? 'F16' : 'F32'
    const kvBytesPerToken = size.kvValuesPerToken * (kvDtype === 'F16' ? 2 : 4)
    const limits = planLimits(config, options, kvBytesPerToken, device.memory.available)
    const decoder = await readDecoder(config, checkpoint, device, {
      maxTokens: limits.maxTokens,
      blockCount: limits.blockCount,
      kvDtype,
      onLayer: (done, total) => options.onProgress?.({ stage: 'reading weights', done, total }),
    })
    const io = makeStepTensors(device, limits, config.vocabSize)
    const capacity = { T: limits.maxTokens, S: limits.maxSequences, N: limits.maxRows }
    const programs = recordPrograms({ device, precision, capacity, config, decoder, io })
    const info: ModelInfo = {
      architecture: config.architecture,
      modelType: config.modelType,
      parameters: size.parameters,
      activeParameters: size.activeParameters,
      mtpParameters: decoder.mtp ? size.mtpParameters : 0,
      bytes: checkpoint.bytes,
      dtypes: checkpoint.dtypes,
      kvBytesPerToken,
      layers: config.layers,
      vocabularySize: config.vocabSize,
      hasMtp: decoder.mtp !== undefined,
      precision,
      device: `${device.kind} (${device.kind === 'cpu' ? device.isa : device.name})`,
      ...(reason !== undefined && { deviceReason: reason }),
      threads: device.threads,
    }
    const expertsPerToken = config.family === 'deepseek' ? config.expertsPerToken : 0
    return createModel({
      device,
      decoder,
      programs,
      io,
      info,
      limits,
      hiddenSize: config.hiddenSize,
      expertsPerToken,
      fingerprint: fingerprintOf(checkpoint, device, precision, kvDtype),
    })
  } catch (error) {
    await device.dispose()
    throw error
  }
}
