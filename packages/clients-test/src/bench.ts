// A listening server for a client's tests: with the model that says what the last user tells it, or with the embedded
// one. Whatever passes is judged after each test.
import { type ServeOptions, type ServerHandle, serve } from '@hadal/server'
import {
  type Asked,
  type Echo,
  type EchoOptions,
  recordingModel,
} from '@hadal/server/testdata/echo'
import { type Llm, load } from 'hadal'
import { afterAll, afterEach, beforeAll, expect } from 'vitest'
import { Judge } from './judge.ts'

export interface Scripted {
  readonly handle: ServerHandle
  readonly model: Echo
  /** What the model was asked, the newest last. */
  readonly seen: Asked[]
  readonly judge: Judge
  readonly url: string
  close(): Promise<void>
}

export const cachedTokens = 5

export async function scripted(
  options: Partial<ServeOptions> = {},
  echo: EchoOptions = {},
): Promise<Scripted> {
  const { model, seen } = recordingModel(echo, cachedTokens)
  const handle = await serve({ model, port: 0, writeLog: () => {}, ...options })
  const { url } = handle
  return {
    ...{ handle, model, seen, url, judge: new Judge(url) },
    async close() {
      await handle.drain(0)
      await model.engine.dispose()
    },
  }
}

/** One scripted server for a file; judged after each test. `at()` gives it. */
export function scriptedServer(): () => Scripted {
  let server: Scripted | undefined
  beforeAll(async () => {
    server = await scripted()
  })
  afterEach(() => server?.judge.settle())
  afterAll(async () => {
    expect(server?.judge.judged).toBeGreaterThan(20)
    await server?.close()
  })
  return () => server as Scripted
}

/** The embedded model behind a server. */
export async function embedded(): Promise<{ llm: Llm; handle: ServerHandle; judge: Judge }> {
  const llm = await load(undefined, { threads: 1 })
  const handle = await serve({ model: llm, modelId: 'hadal-nano', port: 0, logLevel: 'off' })
  return { llm, handle, judge: new Judge(handle.url) }
}

export async function until(condition: () => boolean, ms = 20_000): Promise<void> {
  const end = performance.now() + ms
  while (!condition()) {
    if (performance.now() > end) throw new Error(`not within ${ms} ms: ${condition}`)
    await new Promise((resolve) => setTimeout(resolve, 2))
  }
}

export const isIdle = ({ model }: Scripted): boolean =>
  model.stats.running + model.stats.waiting === 0

/** A user's words that make the scripted model call tools. */
export const callScript = (...calls: readonly [name: string, args: object][]): string => {
  const one = ([name, args]: readonly [string, object]) =>
    `[[call]]function[[sep]]${name}\n\`\`\`json\n${JSON.stringify(args)}\n\`\`\`[[/call]]`
  return `[[calls]]${calls.map(one).join('\n')}[[/calls]]`
}
export const thinkScript = 'first this, \nthen that\n[[/think]]\n\nforty-two'
