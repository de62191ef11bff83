// `hadal serve` on a full disk (H39): nothing that it cannot write costs an answer, and what was saved before stays.
import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'

const cli = path.join(path.dirname(fileURLToPath(import.meta.url)), '../dist/cli.js')
const full = '/dev/full'

let work = ''
const children: ChildProcess[] = []
beforeEach(() => {
  work = mkdtempSync(path.join(tmpdir(), 'hadal-disk-'))
})
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL')
  rmSync(work, { recursive: true, force: true })
})

/** A port that was free a moment ago: where stdout cannot be written it cannot say which it took. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  const { port } = server.address() as { port: number }
  await new Promise((resolve) => server.close(resolve))
  return port
}

interface Started {
  readonly url: string
  err(): string
  end(): Promise<number | null>
}

interface Place {
  readonly stdout?: number
  readonly stderr?: number
  /** Most bytes of a file that the process may write, as the last free ones of a disk; a multiple of 512. */
  readonly most?: number
}

async function start(args: readonly string[], { stdout, stderr, most }: Place = {}) {
  const port = await freePort()
  const command = [process.execPath, cli, 'serve', '--port', String(port), ...args]
  // sh counts in blocks of 512 bytes.
  const limit = most === undefined ? '' : `ulimit -f ${most / 512} && `
  const child = spawn('sh', ['-c', `${limit}exec "$@"`, 'sh', ...command], {
    env: { ...process.env, NO_COLOR: '1' },
    stdio: ['ignore', stdout ?? 'ignore', stderr ?? 'pipe'],
  })
  children.push(child)
  const exit = new Promise<number | null>((resolve) => child.on('close', resolve))
  let err = ''
  child.stderr?.on('data', (data) => {
    err += data
  })
  const url = `http://127.0.0.1:${port}`
  const ready = () =>
    fetch(`${url}/health`).then(
      ({ status }) => status === 200,
      () => false,
    )
  const end = performance.now() + 30_000
  while (!(await ready())) {
    if (child.exitCode !== null || performance.now() > end) throw new Error(`no server: ${err}`)
    await sleep(10)
  }
  const started: Started = {
    ...{ url, err: () => err },
    end() {
      child.kill('SIGTERM')
      return exit
    },
  }
  return started
}

async function ask(url: string, content: string): Promise<number> {
  const body = { messages: [{ role: 'user', content }], temperature: 0, max_tokens: 20 }
  const response = await fetch(`${url}/v1/chat/completions`, {
    ...{ method: 'POST', headers: { 'content-type': 'application/json' } },
    body: JSON.stringify(body),
  })
  expect(response.status).toBe(200)
  const { usage } = (await response.json()) as { usage: { prompt_cache_hit_tokens: number } }
  return usage.prompt_cache_hit_tokens
}

const long = (word: string) => `What is ${word}? `.repeat(14)

describe.skipIf(!existsSync(full))('a log that cannot be written', () => {
  it('costs no answer, and no exit code', async () => {
    const stderr = openSync(full, 'w')
    const server = await start(['--log', 'prompts'], { stderr, stdout: stderr })
    for (let i = 0; i < 20; i++) await ask(server.url, `What is ${i} + 1?`)
    expect(await server.end()).toBe(0)
  })

  it('costs none when its reader is gone', async () => {
    const server = await start([])
    children.at(-1)?.stderr?.destroy()
    for (let i = 0; i < 20; i++) await ask(server.url, `What is ${i} + 1?`)
    expect(await server.end()).toBe(0)
  })
})

describe('a prefix cache that does not fit on the disk', () => {
  it('is a warning at the end; the one saved before stays, and nothing is left beside it', async () => {
    const file = path.join(work, 'cache.bin')
    const args = ['--prefix-cache', file]
    const first = await start(args)
    await ask(first.url, long('47 * 36'))
    expect(await first.end()).toBe(0)
    const saved = readFileSync(file)
    // One block more than fits.
    const second = await start(args, { most: Math.ceil(saved.length / 512) * 512 })
    expect(await ask(second.url, long('47 * 36'))).toBeGreaterThan(64)
    await ask(second.url, long('8 + 5'))
    expect(await second.end()).toBe(0)
    expect(second.err()).toMatch(/the prefix cache was not saved: E(FBIG|NOSPC)/)
    expect(readdirSync(work)).toEqual(['cache.bin'])
    expect(readFileSync(file).equals(saved)).toBe(true)
    const third = await start(args)
    expect(await ask(third.url, long('47 * 36'))).toBeGreaterThan(64)
    expect(await third.end()).toBe(0)
  })

  it('is one where nothing fits, and where the folder is gone', async () => {
    const file = path.join(work, 'cache.bin')
    const none = await start(['--prefix-cache', file], { most: 0 })
    await ask(none.url, long('47 * 36'))
    expect(await none.end()).toBe(0)
    expect(none.err()).toContain('the prefix cache was not saved: ')
    expect(readdirSync(work)).toEqual([])
    const gone = await start(['--prefix-cache', path.join(work, 'gone', 'cache.bin')])
    await ask(gone.url, long('47 * 36'))
    expect(await gone.end()).toBe(0)
    expect(gone.err()).toContain('the prefix cache was not saved: ENOENT')
  })
})
