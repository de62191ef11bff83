// Threads, loads at once and the ends of processes, each in a process of its own: what goes wrong there is a
// signal, not an exception.
import { spawn } from 'node:child_process'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'

const index = path.join(path.dirname(fileURLToPath(import.meta.url)), '../dist/index.js')

/** Runs a program that has `load` and `ask`, and reports how it ended. */
function program(
  body: string,
): Promise<{ code: number | null; signal: string | null; out: string }> {
  const source = `
    import { load } from ${JSON.stringify(`file://${index}`)}
    import { Worker } from 'node:worker_threads'
    const ask = async (llm, options) => {
      let text = ''
      const messages = [{ role: 'user', content: 'How many r are in strawberry?' }]
      for await (const part of llm.chat(messages, { temperature: 0, ...options }))
        if (part.type === 'text') text += part.text
      return text
    }
    const busy = (llm) => llm.forward(Array.from({ length: 500 }, (_, i) => i)) // a second in reference precision
    ${body}`
  return new Promise((resolve) => {
    const child = spawn(process.execPath, ['--input-type=module', '-e', source])
    let out = ''
    child.stdout.on('data', (data) => {
      out += data
    })
    child.stderr.on('data', (data) => {
      out += data
    })
    child.on('close', (code, signal) => resolve({ code, signal, out }))
  })
}

/** `start(precision)` runs a worker that says when it has a model, and then generates: for a while, or for ever. */
const worker = `
  const code = \`
    const { parentPort, workerData } = require('node:worker_threads')
    const { index, precision } = workerData
    import(index).then(async ({ load }) => {
      const llm = await load(undefined, { precision })
      parentPort.postMessage('ready')
      for (let i = 0; precision === 'reference' || i < 3; i++)
        for await (const _ of llm.generate([1, 2, 3], { ignoreEos: true, maxTokens: 50 }));
    })\`
  const workerData = { index: ${JSON.stringify(`file://${index}`)} }
  const start = (precision) => new Worker(code, { eval: true, execArgv: [], workerData: { ...workerData, precision } })
  const end = (worker) => new Promise((resolve, reject) => worker.on('exit', resolve).on('error', reject))
`

describe('one process', () => {
  it('holds several loads at once, and worker threads beside them', async () => {
    const { code, out } = await program(`${worker}
      const ends = [start('fast'), start('fast'), start('fast')].map(end)
      const [a, b] = await Promise.all([load(), load()])
      console.log(await Promise.all([ask(a), ask(b), ask(a)]))
      console.log(await Promise.all(ends))
      await Promise.all([a.dispose(), b.dispose()])`)
    expect(out).toBe("[ '3', '3', '3' ]\n[ 0, 0, 0 ]\n")
    expect(code).toBe(0)
  })

  it('survives workers that are terminated in the middle of a step', async () => {
    const { code, out } = await program(`${worker}
      const llm = await load()
      for (let i = 0; i < 4; i++) {
        const worker = start('reference')
        await new Promise((resolve) => worker.once('message', resolve))
        await new Promise((resolve) => setTimeout(resolve, 7 * i))
        await worker.terminate()
      }
      console.log(await ask(llm))
      await llm.dispose()`)
    expect(out).toBe('3\n')
    expect(code).toBe(0)
  })

  it('lets dispose() stop an answer, which ends as cancelled', async () => {
    const { code, out } = await program(`
      const llm = await load(undefined, { precision: 'reference' })
      let reason
      const asking = ask(llm, { onFinish: (finish) => { reason = finish.reason } })
      await new Promise((resolve) => setTimeout(resolve, 4))
      await llm.dispose()
      console.log(await asking === '', reason)`)
    expect(out).toBe('true cancelled\n')
    expect(code).toBe(0)
  })

  it.each([
    ['process.exit', 'process.exit(7)', { code: 7, signal: null }],
    ['SIGTERM', "process.kill(process.pid, 'SIGTERM')", { code: null, signal: 'SIGTERM' }],
    ['an exception that nobody catches', "throw new Error('boom')", { code: 1, signal: null }],
  ])('ends cleanly by %s in the middle of a step', async (_, how, ending) => {
    const { code, signal, out } = await program(`
      const llm = await load(undefined, { precision: 'reference' })
      busy(llm).then(() => console.log('too late'))
      setTimeout(() => { ${how} }, 50)`)
    expect({ code, signal }).toEqual(ending)
    expect(out).not.toContain('too late')
  })

  it('does not keep a process alive that has nothing left to do', async () => {
    const { code, out } = await program(`const llm = await load(); console.log(await ask(llm))`)
    expect(out).toBe('3\n')
    expect(code).toBe(0)
  })
})
