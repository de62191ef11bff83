// `hadal serve` in a process of its own, for tests that put it under load: with a probe inside that tells memory and
// how long its event loop was kept busy.
import { type ChildProcess, spawn } from 'node:child_process'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

const cli = path.join(path.dirname(fileURLToPath(import.meta.url)), '../../dist/cli.js')

/**
 * Runs in the server. Lag is how long a timer of 1 ms came late: by the clock, and by the time that the main thread
 * itself was on a CPU meanwhile (Linux tells), which neither other processes nor the kernels' threads lengthen.
 */
const probe = `
  import { closeSync, openSync, readSync } from 'node:fs'
  let file
  try { file = openSync('/proc/self/task/' + process.pid + '/schedstat', 'r') } catch {}
  const buffer = Buffer.alloc(64)
  const used = () => {
    if (file === undefined) return performance.now()
    return Number(buffer.toString('latin1', 0, readSync(file, buffer, 0, 64, 0)).split(' ')[0]) / 1e6
  }
  let timer
  let walls = [], owns = []
  const start = () => {
    walls = []; owns = []
    let [wall, own] = [performance.now(), used()]
    timer = setInterval(() => {
      const [now, cpu] = [performance.now(), used()]
      walls.push(now - wall - 1)
      owns.push(Math.min(now - wall, cpu - own) - 1)
      wall = now
      own = cpu
    }, 1)
  }
  const p99 = (list) => list.sort((a, b) => a - b)[Math.floor(list.length * 0.99)] ?? 0
  process.on('message', async (what) => {
    if (what === 'lag') { start(); process.send({}) }
    else {
      clearInterval(timer)
      const lag = { wall: p99(walls), own: p99(owns), most: owns.at(-1) ?? 0 }
      // What is native goes a turn after the handle that the collector found.
      for (let i = 0; i < 3; i++) {
        gc()
        await new Promise((resolve) => setTimeout(resolve, 20))
      }
      process.send({ ...lag, rss: process.memoryUsage.rss(), heap: process.memoryUsage().heapUsed })
    }
  })
  process.channel.unref()`

export interface Measured {
  /** p99 of the lag by the clock, and of the part that was the main thread's own work; its longest. */
  readonly wall: number
  readonly own: number
  readonly most: number
  readonly rss: number
  readonly heap: number
}

export interface Served {
  readonly url: string
  readonly child: ChildProcess
  readonly exit: Promise<number | null>
  err(): string
  /** Begins to watch the event loop. */
  watch(): Promise<void>
  measure(): Promise<Measured>
}

export async function startServer(args: readonly string[] = []): Promise<Served> {
  const node = ['--expose-gc', '--import', `data:text/javascript,${encodeURIComponent(probe)}`]
  const child = spawn(process.execPath, [...node, cli, 'serve', '--port', '0', ...args], {
    env: { ...process.env, NO_COLOR: '1', HADAL_LOG: 'off' },
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  })
  let [out, err] = ['', '']
  child.stdout?.on('data', (data) => {
    out += data
  })
  child.stderr?.on('data', (data) => {
    err += data
  })
  const exit = new Promise<number | null>((resolve) => child.on('close', resolve))
  const end = performance.now() + 30_000
  while (!err.includes('ready')) {
    if (child.exitCode !== null || performance.now() > end) throw new Error(`no server: ${err}`)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
  const said = <T>(what: string): Promise<T> =>
    new Promise((resolve) => {
      child.once('message', (answer) => resolve(answer as T))
      child.send(what)
    })
  return {
    ...{ url: /at (http:\S+)/.exec(out)?.[1] ?? '', child, exit, err: () => err },
    watch: () => said('lag'),
    measure: () => said<Measured>('measure'),
  }
}
