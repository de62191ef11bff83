// `hadal serve` as a child, for --spawn: started on a free port, waited for until it is ready, ended by SIGTERM.
import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const cli = fileURLToPath(new URL('../../packages/hadal/dist/cli.js', import.meta.url))
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms))

/** `args`: what follows `hadal serve`, a checkpoint folder for example. */
export async function spawnServer(args, { command = cli, timeoutMs = 300_000 } = {}) {
  const child = spawn(process.execPath, [command, 'serve', '--port', '0', ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let said = ''
  let exited
  const ended = new Promise((resolve) => {
    child.on('close', (code, signal) => {
      exited = signal ?? code
      resolve()
    })
  })
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (data) => {
      said = (said + data).slice(-100_000)
    })
  const stop = async () => {
    child.kill('SIGTERM')
    await ended
  }
  const deadline = Date.now() + timeoutMs
  let url
  while (Date.now() < deadline && exited === undefined) {
    url ??= /https?:\/\/[\w.[\]:]+:\d+/.exec(said)?.[0]
    if (url && (await isReady(url))) return { url, stop, peakRss: () => peakRss(child.pid) }
    await sleep(100)
  }
  await stop()
  throw new Error(`hadal serve ${args.join(' ')}: not ready (exit ${exited}):\n${said}`)
}

const isReady = (url) =>
  fetch(`${url}/health`).then(
    (response) => response.ok,
    () => false,
  )

/** Most bytes of memory that the process has had, where /proc says so. */
function peakRss(pid) {
  try {
    const kib = /^VmHWM:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]
    return kib === undefined ? undefined : Number(kib) * 1024
  } catch {
    return undefined
  }
}
