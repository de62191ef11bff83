// The fixtures are published-layout folders, so what their configs imply must be what their files hold.
import { fixture } from '@hadal/testing'
import { describe, expect, it } from 'vitest'
import { openCheckpoint } from './checkpoint.ts'
import { impliedStorage } from './implied.ts'
import { preset } from './presets.ts'

const folders = [
  ...['distill-llama-bf16', 'distill-qwen2-bf16', 'v2-lite-bf16', 'v3-bf16', 'v3-fp8', 'nano-bf16'],
]

describe('what a config implies', () => {
  it.each(folders)('%s: the tensors and bytes of its files', async (name) => {
    const { config, tensors, bytes, dtypes } = await openCheckpoint(fixture(name))
    expect(impliedStorage(config)).toEqual({ tensors: tensors.size, bytes, dtypes })
  })

  it('refuses a config of more experts than memory could list', () => {
    const config = { ...preset('r1-tiny'), n_routed_experts: 65_536, num_hidden_layers: 1024 }
    expect(() => impliedStorage(config)).toThrow(/n_routed_experts: expected at most 1000000/)
  })
})
