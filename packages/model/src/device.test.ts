// Which device a model gets, and that the list of ops it is decided by is what its programs name.
import { openCheckpoint } from '@hadal/checkpoint'
import { Encoder, loadBinding, type OpName, opNames } from '@hadal/kernels'
import { fixture } from '@hadal/testing'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { parseConfig } from './config.ts'
import { neededOps, openDevice } from './device.ts'
import { loadModel } from './load.ts'

const limits = { contextLength: 128, maxSequences: 1, maxTokens: 16, threads: 1 }

afterEach(() => vi.restoreAllMocks())

const cuda = (problem: string, ops: readonly OpName[]) => {
  const binding = { ...loadBinding(), cuda: () => ({ problem }), cudaOpList: () => [...ops] }
  return binding as unknown as ReturnType<typeof loadBinding>
}

vi.mock('@hadal/kernels', { spy: true })

describe('the ops of a model', () => {
  it.each(['v3-fp8', 'v3-bf16', 'v2-lite-bf16', 'distill-qwen2-bf16', 'distill-llama-bf16'])(
    'of %s are those that it records',
    async (name) => {
      const append = vi.spyOn(Encoder.prototype, 'append').mockClear()
      const checkpoint = await openCheckpoint(fixture(name))
      const model = await loadModel(checkpoint, { ...limits, device: 'cpu' })
      await model.dispose()
      const recorded = new Set(append.mock.calls.map(([op]) => op))
      const config = parseConfig(checkpoint.config, checkpoint.configFile)
      expect([...recorded].sort()).toEqual([...neededOps(config, checkpoint)].sort())
    },
  )
})

describe('openDevice', () => {
  const needed: readonly OpName[] = ['matmul', 'rms_norm', 'sample']
  const auto = async (options: Parameters<typeof openDevice>[1] = {}) => {
    const { device, reason } = openDevice(needed, { threads: 1, ...options })
    await device.dispose()
    return [device.kind, reason]
  }

  it('takes the CPU without a word when it is named', async () => {
    expect(await auto({ device: 'cpu' })).toEqual(['cpu', undefined])
  })

  it('says what the machine lacks', async () => {
    vi.mocked(loadBinding).mockReturnValue(cuda('CUDA: no driver', opNames))
    expect(await auto()).toEqual(['cpu', 'CUDA: no driver'])
    expect(() => openDevice(needed, { device: 'cuda' })).toThrow("device: 'cuda': CUDA: no driver")
  })

  it('names the ops that have no kernel', async () => {
    vi.mocked(loadBinding).mockReturnValue(cuda('', ['rms_norm']))
    const text = 'CUDA: no kernels yet for matmul, sample, which this model needs'
    expect(await auto()).toEqual(['cpu', text])
    expect(() => openDevice(needed, { device: 'cuda' })).toThrow(text)
  })

  it('leaves what belongs to the CPU there', async () => {
    expect(await auto({ isa: 'portable' })).toEqual(['cpu', expect.stringContaining("'portable'")])
    expect(await auto({ precision: 'reference' })).toEqual(['cpu', expect.stringContaining('CPU')])
    expect(() => openDevice(needed, { device: 'cuda', precision: 'reference' })).toThrow(
      expect.objectContaining({ code: 'ERR_HADAL_UNSUPPORTED' }),
    )
  })
})

describe('a loaded model', () => {
  it('tells why auto took the CPU', async () => {
    const model = await loadModel(await openCheckpoint(fixture('v3-fp8')), limits)
    await model.dispose()
    expect(model.info.device).toMatch(/^cpu \(/)
    expect(model.info.deviceReason).toMatch(/^CUDA: /)
  })
})
