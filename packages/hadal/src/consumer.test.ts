// The published declarations in a stranger's strict project, under both resolutions that people use.
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, describe, expect, it } from 'vitest'

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../../..')
const project = mkdtempSync(path.join(tmpdir(), 'hadal-consumer-'))
afterAll(() => rmSync(project, { recursive: true, force: true }))

const program = `import { CheckpointError, type ChatFinish, type Llm, load, type LoadOptions, OptionError } from 'hadal'
const options: LoadOptions = { device: 'cpu', precision: 'fast', threads: 2, contextLength: 512,
  onProgress: ({ stage, done, total }) => { const text: string = stage; const share: number = done / total; void [text, share] } }
await using llm: Llm = await load(undefined, options)
let finish: ChatFinish | undefined
const messages = [{ role: 'user', content: 'How many r are in strawberry?' }] as const
for await (const part of llm.chat(messages, { temperature: 0.6, seed: 1, onFinish: (f) => { finish = f } })) {
  const type: 'reasoning' | 'text' | 'tool-call' | 'tool-call-delta' = part.type
  if (part.type === 'tool-call') console.log(part.toolCall.name)
  process.stdout.write(part.text + type)
}
const ids: Int32Array = llm.tokenizer.encode('text')
for await (const { id, logprob } of llm.generate(ids, { maxTokens: 24, temperature: 0 })) console.log(id + logprob)
const { logits, mtpLogits } = await llm.forward(ids, { mtp: true })
const numbers: [Float32Array, Float32Array | undefined, number] = [logits, mtpLogits, llm.info.activeParameters]
// @ts-expect-error: an option with a typing error
llm.chat(messages, { temprature: 1 })
// @ts-expect-error: no such role
llm.chat([{ role: 'bot', content: '' }])
console.log(numbers, finish?.reason, llm.info.kvBytesPerToken, llm.tokenizer.decode(ids), CheckpointError, OptionError)
`

describe('a consumer with strict TypeScript', () => {
  it.each([
    ['nodenext', 'nodenext'],
    ['esnext', 'bundler'],
  ])(
    'type-checks with module %s and resolution %s',
    (module, moduleResolution) => {
      mkdirSync(path.join(project, 'node_modules/@types'), { recursive: true })
      for (const [name, target] of [
        ['hadal', 'packages/hadal'],
        ['@types/node', 'node_modules/@types/node'],
      ] as const) {
        rmSync(path.join(project, 'node_modules', name), { force: true })
        symlinkSync(path.join(root, target), path.join(project, 'node_modules', name), 'dir')
      }
      const compilerOptions = {
        ...{ strict: true, noUncheckedIndexedAccess: true, exactOptionalPropertyTypes: true },
        ...{ skipLibCheck: false, noEmit: true, target: 'es2022', module, moduleResolution },
        ...{ lib: ['es2023', 'esnext.disposable'], types: ['node'] },
      }
      writeFileSync(path.join(project, 'package.json'), '{ "type": "module" }')
      writeFileSync(path.join(project, 'program.ts'), program)
      writeFileSync(
        path.join(project, 'tsconfig.json'),
        JSON.stringify({ compilerOptions, files: ['program.ts'] }),
      )
      const tsc = path.join(root, 'node_modules/typescript/bin/tsc')
      const { stdout, status } = spawnSync(process.execPath, [tsc, '-p', project], {
        encoding: 'utf8',
      })
      expect(stdout).toBe('')
      expect(status).toBe(0)
    },
    60_000,
  )
})
