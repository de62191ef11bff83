// --device, HADAL_DEVICE and the line of `hadal doctor`, on this machine and over drivers that are none: a small
// libcuda.so.1 of the native tests answers what HADAL_FAKE_CUDA says. No case may crash.
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { load } from './load.ts'

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../../..')
const cli = path.join(root, 'packages/hadal/dist/cli.js')
const fake = path.join(root, 'packages/native/build/tests/fake')
const quiet = { ...process.env, HADAL_HISTORY: '0', NO_COLOR: '1' }

const hadal = (args: string[], env: NodeJS.ProcessEnv = {}) =>
  spawnSync(process.execPath, [cli, ...args], {
    encoding: 'utf8',
    env: { ...quiet, ...env },
    timeout: 60_000,
  })

const cudaLine = (env: NodeJS.ProcessEnv) => {
  const { stdout, status } = hadal(['doctor'], env)
  expect(status).toBe(0)
  return /✓ cuda +(.*)/.exec(stdout)?.[1]
}

describe('a device by name', () => {
  it('is refused with one sentence when it is no device', () => {
    const flag = hadal(['run', 'hi', '--device', 'tpu'])
    expect(flag).toMatchObject({ status: 2, stdout: '' })
    expect(flag.stderr).toContain('--device: expected auto, cpu or cuda, got "tpu"')
    const variable = hadal(['run', 'hi'], { HADAL_DEVICE: 'tpu' })
    expect(variable.stderr).toContain('HADAL_DEVICE: expected auto, cpu or cuda, got "tpu"')
  })

  it('cuda fails in one line and cpu works', () => {
    const { stderr, status } = hadal(['run', 'What is 2 + 2?', '--device', 'cuda'])
    expect(status).toBe(1)
    expect(stderr.trim().split('\n')).toHaveLength(1)
    expect(stderr).toContain("device: 'cuda': CUDA: ")
    const env = { HADAL_DEVICE: 'cpu' }
    expect(hadal(['run', 'What is 2 + 2?', '--temperature', '0'], env).stdout).toBe('4\n')
  })

  it('load({ device }) is that of the embedded model', async () => {
    await expect(load({ device: 'cuda' })).rejects.toThrow(/^.*device: 'cuda': CUDA: .+$/)
    const llm = await load({ device: 'cpu', threads: 1 })
    await llm.dispose()
    expect(llm.info).toMatchObject({ threads: 1 })
  })

  it('auto is the CPU as long as kernels are missing, and says so', async () => {
    const llm = await load()
    await llm.dispose()
    expect(llm.info.device).toMatch(/^cpu/)
    expect(llm.info.deviceReason).toMatch(/^CUDA: .+/)
  })
})

describe.skipIf(!existsSync(fake))('a driver that is none', () => {
  it.each([
    ['old', 'not used: the driver is too old: it is one for CUDA 11.8, expected 12.4 or newer'],
    ['none', 'not used: no CUDA device on this machine'],
    ['broken', 'not used: the driver does not start: a fake driver does nothing'],
    ['a6000', 'not used: unsupported GPU: NVIDIA RTX A6000 is sm_86, need sm_90'],
  ])('%s', (kind, line) => {
    expect(cudaLine({ LD_LIBRARY_PATH: fake, HADAL_FAKE_CUDA: kind })).toBe(line)
  })

  it('of a Hopper: the GPU, or the kernels that were not built', () => {
    const kernels = existsSync(path.join(fake, '../../kernels.sm_90a.fatbin'))
    expect(cudaLine({ LD_LIBRARY_PATH: fake, HADAL_FAKE_CUDA: 'hopper' })).toMatch(
      kernels
        ? /^NVIDIA H100 80GB HBM3, 85.9 GB, driver for CUDA 13.0; /
        : /^not used: no kernels file: .*kernels\.sm_90a\.fatbin is not there/,
    )
  })

  it('of a Hopper, then asked to work, ends with a sentence', () => {
    const env = { LD_LIBRARY_PATH: fake, HADAL_FAKE_CUDA: 'hopper' }
    const { stderr, status } = hadal(['run', 'hi', '--device', 'cuda'], env)
    expect(status).toBe(1)
    expect(stderr).toContain("device: 'cuda': CUDA: no kernels")
  })
})
