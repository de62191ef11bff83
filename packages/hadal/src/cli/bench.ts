// `hadal bench kernels`: bench-kernels.ts. `hadal bench [folder]`: the machine's read bandwidth, then prefill and decode beside it.
// Bandwidth: the native add of two large arrays, which reads two bytes for each that it writes.
import { add, Device, Encoder, T } from '@hadal/kernels'
import { type CommandDef, defineCommand } from 'citty'
import { load } from '../load.ts'
import type { Llm } from '../types.ts'
import { benchKernels, kernelArgs } from './bench-kernels.ts'
import { deviceFlag, loadFromFlags, modelArgs, numberFlag } from './model-options.ts'
import { bytes, progressBar } from './terminal.ts'

/** Bytes read and written a second by `add` over arrays far larger than the caches, best of five. */
async function memoryBandwidth(threads: number): Promise<number> {
  const device = Device.open({ threads })
  try {
    const [rows, width] = [4096, 8192]
    const [a, b, out] = [0, 1, 2].map(() => device.tensor('F32', [T, width], rows)) as [
      never,
      never,
      never,
    ]
    const k = new Encoder(device, 'fast', { T: rows, S: 1, N: 1 })
    add(k, out, a, b)
    const program = k.finish()
    let best = Number.POSITIVE_INFINITY
    for (let i = 0; i < 6; i++) {
      const started = performance.now()
      await program.run({ T: rows, S: 1, N: 1 })
      if (i > 0) best = Math.min(best, performance.now() - started)
    }
    return (3 * rows * width * 4) / (best / 1000)
  } finally {
    await device.dispose()
  }
}

interface Row {
  readonly what: string
  readonly tokensPerSecond: number
  readonly runs: readonly number[]
}

const median = (values: readonly number[]): number =>
  [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0

async function prefill(llm: Llm, length: number, runs: number, tick: () => void): Promise<Row> {
  const ids = Int32Array.from({ length }, (_, i) => (i * 7919 + 13) % llm.info.vocabularySize)
  const speeds: number[] = []
  for (let i = 0; i <= runs; i++) {
    const started = performance.now()
    await llm.forward(ids, { lastLogits: 1 })
    tick()
    if (i > 0) speeds.push(length / ((performance.now() - started) / 1000))
  }
  return { what: `prefill ${length}`, tokensPerSecond: median(speeds), runs: speeds }
}

async function decode(
  llm: Llm,
  context: number,
  tokens: number,
  runs: number,
  tick: () => void,
): Promise<Row> {
  const ids = Int32Array.from(
    { length: context },
    (_, i) => (i * 7919 + 13) % llm.info.vocabularySize,
  )
  const speeds: number[] = []
  for (let i = 0; i <= runs; i++) {
    let speed = 0
    const onFinish = (finish: { tokensPerSecond: number }) => {
      speed = finish.tokensPerSecond
    }
    for await (const _ of llm.generate(ids, {
      maxTokens: tokens,
      temperature: 0,
      ignoreEos: true,
      onFinish,
    }))
      void _
    tick()
    if (i > 0) speeds.push(speed)
  }
  return { what: `decode ${tokens} at ${context}`, tokensPerSecond: median(speeds), runs: speeds }
}

/** The rows, with a bar on stderr: on a large model each takes minutes. */
async function measure(llm: Llm, runs: number): Promise<Row[]> {
  const { contextLength } = llm.info
  const long = Math.min(512, contextLength - 1)
  const bar = progressBar()
  let done = 0
  const tick = () => bar.update({ stage: 'measuring', done: ++done, total: 3 * (runs + 1) })
  try {
    return [
      await prefill(llm, Math.min(128, long), runs, tick),
      await prefill(llm, long, runs, tick),
      await decode(llm, Math.min(16, long), Math.min(64, contextLength - 32), runs, tick),
    ]
  } finally {
    bar.end()
  }
}

export const benchCommand = defineCommand({
  meta: {
    name: 'bench',
    description: 'Prefill and decode speed beside the measured memory bandwidth',
  },
  args: {
    folder: {
      type: 'positional',
      required: false,
      description: 'checkpoint folder, or the word kernels; default: the embedded model',
    },
    runs: { type: 'string', default: '5', description: 'counted runs of each row' },
    json: { type: 'boolean', description: 'as JSON' },
    ...kernelArgs,
    ...modelArgs,
  },
  async run({ args }) {
    if (args.folder === 'kernels') {
      const device = deviceFlag(args.device, process.env.HADAL_DEVICE)
      const { list = false, json = false, filter, csv } = args
      process.exitCode = await benchKernels({ device, list, json, filter, csv })
      return
    }
    const runs = numberFlag(args, 'runs') ?? 5
    const llm = args.folder ? await loadFromFlags(args.folder, args) : await load()
    try {
      const bandwidth = await memoryBandwidth(llm.info.threads)
      const rows = await measure(llm, runs)
      const active =
        (llm.info.bytes * llm.info.activeParameters) /
        (llm.info.parameters + llm.info.mtpParameters)
      const ceiling = bandwidth / active
      if (args.json) {
        process.stdout.write(
          `${JSON.stringify({ model: llm.info, bandwidth, activeBytes: active, decodeCeiling: ceiling, rows }, null, 2)}\n`,
        )
        return
      }
      process.stdout.write(
        `${llm.info.path}\n${llm.info.device}, ${llm.info.threads} threads · memory ${bytes(bandwidth)}/s (add over 3 × 134 MB, best of 5) · about ${bytes(Math.round(active))} of weights a token\n`,
      )
      for (const row of rows) {
        const share = row.what.startsWith('decode')
          ? `  ${((100 * row.tokensPerSecond) / ceiling).toFixed(0)} % of the bandwidth limit ${ceiling.toFixed(1)}`
          : ''
        process.stdout.write(
          `${row.what.padEnd(20)}${row.tokensPerSecond.toFixed(1).padStart(10)} tokens/s${share}\n`,
        )
      }
    } finally {
      await llm.dispose()
    }
  },
}) as unknown as CommandDef
