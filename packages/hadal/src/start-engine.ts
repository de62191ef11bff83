// The engine of a loaded model, with the prefix cache that outlives the program, if one is wanted.
import { Engine, type EngineDefaults, type EngineOptions } from '@hadal/engine'
import type { Model } from '@hadal/model'
import type { LoadOptions } from './types.ts'

function engineOptions(options: LoadOptions): EngineOptions {
  const { prefixCache, maxQueue, queueTimeoutMs, maxStepMs, agingMs } = options
  return {
    ...(prefixCache !== undefined && { prefixCache }),
    ...(maxQueue !== undefined && { maxQueue }),
    ...(queueTimeoutMs !== undefined && { queueTimeoutMs }),
    ...(maxStepMs !== undefined && { maxStepMs }),
    ...(agingMs !== undefined && { agingMs }),
  }
}

/** Takes the saved prefix cache, if there is one that fits: a load must not fail for the want of it. */
export async function startEngine(
  model: Model,
  defaults: EngineDefaults,
  options: LoadOptions,
): Promise<Engine> {
  const { prefixCachePath } = options
  try {
    const engine = new Engine(model, defaults, engineOptions(options))
    if (prefixCachePath !== undefined) {
      await engine.loadPrefixCache(prefixCachePath).catch((error: NodeJS.ErrnoException) => {
        if (error.code !== 'ENOENT') process.emitWarning(`not loaded: ${error.message}`)
      })
    }
    return engine
  } catch (error) {
    await model.dispose()
    throw error
  }
}

/** Cancels what runs, saves the prefix cache if its place was named, and frees the model. */
export async function endEngine(
  engine: Engine,
  model: Model,
  prefixCachePath: string | undefined,
): Promise<void> {
  await engine.dispose()
  if (prefixCachePath !== undefined) {
    await engine.savePrefixCache(prefixCachePath).catch((error: Error) => {
      process.emitWarning(`the prefix cache was not saved: ${error.message}`)
    })
  }
  await model.dispose()
}
