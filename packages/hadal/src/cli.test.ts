// The command, run as people run it: from dist, in a process of its own. Built here when it is missing.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { fixture } from '@hadal/testing'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../../..')
const cli = path.join(root, 'packages/hadal/dist/cli.js')
const work = mkdtempSync(path.join(tmpdir(), 'hadal-cli-'))
const quiet = { ...process.env, HADAL_HISTORY: '0', NO_COLOR: '1' }

beforeAll(() => {
  if (existsSync(cli)) return
  const build = spawnSync(process.execPath, [path.join(root, 'scripts/setup.mjs'), 'build'], {
    encoding: 'utf8',
  })
  if (build.status !== 0) throw new Error(`build failed:\n${build.stderr}`)
}, 300_000)
afterAll(() => rmSync(work, { recursive: true, force: true }))

const hadal = (args: string[], input = '', env: NodeJS.ProcessEnv = quiet) =>
  spawnSync(process.execPath, [cli, ...args], { encoding: 'utf8', input, env, timeout: 60_000 })

describe('hadal bench kernels', () => {
  const program = path.join(root, 'packages/native/build/bench/hadal_cuda_bench')

  it('says which device has rows', () => {
    const { stderr, status } = hadal(['bench', 'kernels'])
    expect(stderr).toContain('expected --device cuda, got none')
    expect(status).not.toBe(0)
  })

  it.skipIf(!existsSync(program))('lists its rows without a GPU, and measures none', () => {
    const list = hadal(['bench', 'kernels', '--device', 'cuda', '--list'])
    expect(list.status).toBe(0)
    const rows: unknown = JSON.parse(list.stdout)
    expect(JSON.stringify(rows)).toContain('rms_norm')
    const { stderr, status } = hadal(['bench', 'kernels', '--device', 'cuda'], '', {
      ...quiet,
      LD_LIBRARY_PATH: '/nowhere',
    })
    if (status !== 0) expect(stderr).toMatch(/^hadal: CUDA: no driver on this machine/)
  })

  it('names what is missing where the program was not built', () => {
    const env = { ...quiet, HADAL_NATIVE_PATH: fixture('v3-fp8') }
    const { stderr, status } = hadal(['bench', 'kernels', '--device', 'cuda'], '', env)
    expect(stderr).toContain('bench/hadal_cuda_bench is not built')
    expect(status).not.toBe(0)
  })
})

describe('hadal run', () => {
  it('puts the answer on stdout and the thinking on stderr when stdout is a pipe', () => {
    const { stdout, stderr, status } = hadal([
      'run',
      'How many r are in strawberry?',
      '--temperature',
      '0',
    ])
    expect(stdout).toBe('3\n')
    expect(stderr).toMatch(/count r: s0[\s\S]*Thought for \d/)
    expect(status).toBe(0)
  })

  it('reads its prompt from stdin', () => {
    expect(hadal(['run', '--temperature', '0'], 'What is 348 + 987?').stdout).toBe('1335\n')
  })

  it('holds the answer to a format', () => {
    const file = path.join(work, 'schema.json')
    writeFileSync(
      file,
      JSON.stringify({
        type: 'object',
        properties: { sum: { type: 'integer' } },
        required: ['sum'],
      }),
    )
    const run = (format: string) =>
      hadal(['run', 'What is 2 + 2?', '--seed', '1', '--format', format])
    expect(JSON.parse(run(file).stdout)).toEqual({ sum: expect.any(Number) })
    expect(run('regex:[0-9]{3}').stdout).toMatch(/^[0-9]{3}\n$/)
    expect(run('nowhere.json')).toMatchObject({ status: 2, stdout: '' })
    const { status, stderr } = run('regex:(')
    expect(status).toBe(1)
    expect(stderr).toMatch(/^hadal: pattern "\(": character 1: expected "\)"/m)
  })

  it('takes an unquoted question, and words after -- as they are', () => {
    const words = 'How many r are in strawberry?'.split(' ')
    expect(hadal(['run', '--temperature', '0', ...words]).stdout).toBe('3\n')
    expect(hadal(['run', '--temperature=0', '--', '-h']).stdout).not.toContain('USAGE')
  })

  it.each([
    ['the answer’s reader', '| head -c1', '3', 0],
    ['the thinking’s reader', '2>&1 >answer.txt | head -c1', 's', 0],
    ['both', '2>&1 | head -c1', 's', 0],
  ])('is quiet when %s goes away', (_, pipe, first, code) => {
    const command = `"${process.execPath}" "${cli}" run "How many r are in strawberry?" --temperature 0`
    const script = `${command} ${pipe}; exit \${PIPESTATUS[0]}`
    const { stdout, status } = spawnSync('bash', ['-c', script], {
      ...{ encoding: 'utf8', cwd: work, env: quiet, input: '' },
    })
    expect(stdout).toBe(first)
    expect(status).toBe(code)
    if (pipe.includes('answer.txt'))
      expect(readFileSync(path.join(work, 'answer.txt'), 'utf8')).toBe('3\n')
  })

  it.runIf(existsSync('/dev/full'))('fails when its output cannot be written', () => {
    const command = `"${process.execPath}" "${cli}" run "What is 2 + 2?" >/dev/full`
    const { status, stderr } = spawnSync('bash', ['-c', command], { encoding: 'utf8', env: quiet })
    expect(stderr).toMatch(/hadal: stdout: ENOSPC/)
    expect(status).toBe(1)
  })

  it('prints one JSON object', () => {
    const out = JSON.parse(
      hadal(['run', 'What is 47 * 36?', '--json', '--temperature', '0']).stdout,
    )
    expect(out).toMatchObject({ text: '1692', reason: 'stop' })
    expect(out.reasoningTokens).toBeGreaterThan(50)
  })

  it('obeys its flags', () => {
    const direct = hadal([
      'run',
      'What is 2 + 2?',
      '--no-think',
      '--temperature',
      '0',
      '--max-tokens',
      '1',
      '--verbose',
    ])
    expect(direct.stderr).not.toContain('Thought for')
    expect(direct.stderr).toMatch(/1 token .*cut: length/)
    const seeded = () =>
      hadal(['run', 'Make 33 from 6 6 3.', '--seed', '5', '--temperature', '1']).stderr
    expect(seeded().replace(/Thought.*/, '')).toBe(seeded().replace(/Thought.*/, ''))
  })

  it.each([
    [['run'], '', 2, /expected a prompt/],
    [['run', 'x', '--temperature', 'hot'], '', 2, /--temperature: expected a number, got "hot"/],
    [['run', 'x', '--model', '/nowhere'], '', 1, /\/nowhere: cannot be opened: ENOENT/],
    [
      ['run', 'x', '--precision', 'exact'],
      '',
      2,
      /--precision: expected fast or reference, got "exact"/,
    ],
    [
      ['run', 'x', '--max-tokens', '0'],
      '',
      2,
      /--max-tokens: expected an integer of 1 or more, got 0/,
    ],
    [
      ['run', 'x', '--temprature', '0'],
      '',
      2,
      /unknown flag --temprature; did you mean --temperature\?/,
    ],
    [['run', 'x', '--no-color'], '', 2, /unknown flag --no-color \(known: --model, .*--seed/],
    [['run', 'x', '--seed', '--json'], '', 2, /--seed: expected a value, got "--json"/],
    [['run', 'x', '-m'], '', 2, /-m: expected a value, got none/],
    [['run', 'x', '--threads', '1.5'], '', 2, /--threads: expected a whole number/],
    [['inspect', 'a', 'b'], '', 2, /expected at most 1 argument, got "b" as well/],
    [['doctor', 'a'], '', 2, /expected no argument, got "a" as well/],
    [['rnu'], '', 2, /got "rnu"; did you mean "run"\?/],
    [['dance', '--help'], '', 2, /expected one of chat, run/],
    [['dance'], '', 2, /expected one of chat, run/],
    [['inspect', '/nowhere'], '', 2, /no such file or folder/],
  ])('%j fails in one line', (args, input, code, message) => {
    const { status, stderr } = hadal(args as string[], input as string)
    expect(stderr).toMatch(message as RegExp)
    expect(stderr.trim().split('\n')).toHaveLength(1)
    expect(status).toBe(code)
  })
})

describe('hadal chat', () => {
  it('says what the little model can do, answers and obeys commands on a pipe', () => {
    const { stdout, status } = hadal(
      ['chat', '--temperature', '0'],
      'Sort 42, 7, 93, 15.\n/nothink\n/set temperature 0\n/set nonsense 1\n/set temperature -1\n/set topP default\n/stats\n/help\n/what\n"""\nWhat is\n2 + 3?\n"""\n/bye\n',
    )
    expect(stdout).toContain('add, subtract, multiply, count letters')
    expect(stdout).toContain('hadal chat path/to/DeepSeek-R1')
    expect(stdout).toContain('7, 15, 42, 93')
    expect(stdout).toMatch(/Thought for \d/)
    expect(stdout).toContain('thinking is off')
    expect(stdout).toContain('usage: /set')
    expect(stdout).toContain('temperature: expected a number from 0 to 100, got -1')
    expect(stdout).toContain('topP is the model’s default')
    expect(stdout).toContain('unknown command /what')
    expect(stdout).toContain('blocks of 64 tokens in use')
    expect(stdout).not.toContain('\u001b[')
    expect(status).toBe(0)
  })

  it('dims the thinking where colours are wanted', () => {
    const { NO_COLOR: _, ...env } = quiet
    const { stdout } = hadal(['chat', '--temperature', '0'], 'What is 5 + 6?\n', {
      ...env,
      FORCE_COLOR: '1',
    })
    expect(stdout).toContain('\u001b[2m')
  })

  it('stops the answer at the first Ctrl+C and leaves at the second', async () => {
    const child: ChildProcess = spawn(process.execPath, [cli, 'chat', '--temperature', '1.5'], {
      env: quiet,
    })
    let out = ''
    child.stdout?.on('data', (data) => {
      out += data
    })
    const until = async (pattern: RegExp) => {
      const end = performance.now() + 30_000
      while (!pattern.test(out) && performance.now() < end)
        await new Promise((r) => setTimeout(r, 2))
      expect(out).toMatch(pattern)
    }
    await until(/lists the commands/)
    child.stdin?.write('Make 97 from 6 6 3 8 2.\n')
    await until(/commands\.\s+\S+ \S+ /)
    child.kill('SIGINT')
    await until(/first after/)
    child.kill('SIGINT')
    const code = await new Promise((resolve) => child.on('close', resolve))
    expect(code).toBe(0)
  })
})

describe('hadal inspect', () => {
  // The published config of DeepSeek-R1.
  const r1 = {
    architectures: ['DeepseekV3ForCausalLM'],
    model_type: 'deepseek_v3',
    attention_bias: false,
    first_k_dense_replace: 3,
    hidden_act: 'silu',
    hidden_size: 7168,
    intermediate_size: 18432,
    kv_lora_rank: 512,
    max_position_embeddings: 163840,
    moe_intermediate_size: 2048,
    moe_layer_freq: 1,
    n_group: 8,
    n_routed_experts: 256,
    n_shared_experts: 1,
    norm_topk_prob: true,
    num_attention_heads: 128,
    num_experts_per_tok: 8,
    num_hidden_layers: 61,
    num_key_value_heads: 128,
    num_nextn_predict_layers: 1,
    q_lora_rank: 1536,
    qk_nope_head_dim: 128,
    qk_rope_head_dim: 64,
    quantization_config: {
      activation_scheme: 'dynamic',
      fmt: 'e4m3',
      quant_method: 'fp8',
      weight_block_size: [128, 128],
    },
    rms_norm_eps: 1e-6,
    rope_scaling: {
      beta_fast: 32,
      beta_slow: 1,
      factor: 40,
      mscale: 1,
      mscale_all_dim: 1,
      original_max_position_embeddings: 4096,
      type: 'yarn',
    },
    rope_theta: 10000,
    routed_scaling_factor: 2.5,
    scoring_func: 'sigmoid',
    tie_word_embeddings: false,
    topk_group: 4,
    topk_method: 'noaux_tc',
    v_head_dim: 128,
    vocab_size: 129280,
  }

  it('knows R1 from its config alone', () => {
    const file = path.join(work, 'r1.json')
    writeFileSync(file, JSON.stringify(r1))
    const out = JSON.parse(hadal(['inspect', file, '--json']).stdout)
    expect(out.parameters / 1e9).toBeCloseTo(671.026, 2)
    expect(out.activeParameters / 1e9).toBeCloseTo(37.55, 1)
    expect(out.kvBytesPerToken).toBe(70_272)
    const text = hadal(['inspect', file]).stdout
    expect(text).toContain('671.0 B, 37.6 B active')
    // The published tensors: those of the main model, and the MTP module with its copies of embedding and head.
    expect(out.weightBytes).toBe(673_150_611_808 + 15_424_227_552)
    expect(text).toMatch(/688\.6 GB in 91,991 tensors \(BF16 .*, F8_E4M3 .*, F32 .*\), computed/)
    expect(text).toMatch(/verdict\s+(fits|does not fit)/)
  })

  it('measures a folder', () => {
    const { stdout } = hadal(['inspect', fixture('v3-fp8')])
    expect(stdout).toMatch(/in 239 tensors \(.*F8_E4M3/)
  })

  it('lists what is supported when a config is not', () => {
    const file = path.join(work, 'gpt.json')
    writeFileSync(file, JSON.stringify({ model_type: 'gpt2' }))
    const { stderr, status } = hadal(['inspect', file])
    expect(stderr).toMatch(/got "gpt2"\. Supported: deepseek_v3/)
    expect(status).toBe(1)
  })
})

describe('hadal synth, quantize, doctor, bench', () => {
  it('makes a checkpoint that runs, and quantises another', () => {
    const folder = path.join(work, 'synth')
    expect(hadal(['synth', folder, '--preset', 'r1-tiny', '--dtype', 'bf16']).status).toBe(0)
    expect(hadal(['run', 'hello', '--model', folder, '--max-tokens', '4', '--json']).status).toBe(0)
    const out = path.join(work, 'fp8')
    expect(hadal(['quantize', folder, out]).status).toBe(0)
    expect(hadal(['quantize', out, path.join(work, 'again')]).stderr).toContain(
      'expected unquantised weights',
    )
    expect(hadal(['run', 'hello', '--model', out, '--max-tokens', '4', '--json']).status).toBe(0)
    expect(hadal(['synth', folder, '--preset', 'r2']).stderr).toContain(
      '--preset: expected one of r1-tiny',
    )
    for (const command of [
      ['synth', folder],
      ['quantize', folder, out],
    ]) {
      const { stderr, status } = hadal(command)
      expect(stderr).toMatch(/expected a folder without a checkpoint, found config\.json; --force/)
      expect(status).toBe(2)
    }
    expect(hadal(['synth', folder, '--force']).status).toBe(0)
  })

  it('finds this machine in order', () => {
    const { stdout, status } = hadal(['doctor'])
    expect(stdout).not.toContain('✗')
    expect(stdout).toMatch(/✓ model/)
    expect(status).toBe(0)
  })

  it('says once what is wrong when there is no addon', () => {
    const { stdout, status } = hadal(['doctor'], '', { ...quiet, HADAL_NATIVE_PATH: '/nowhere' })
    expect(stdout.match(/HADAL_NATIVE_PATH=\/nowhere/g)).toHaveLength(1)
    expect(stdout).toMatch(/✗ model {6}as addon/)
    expect(status).toBe(1)
  })

  it('says what is wrong when the addon is', () => {
    const { stdout, status } = hadal(['doctor'], '', { ...quiet, HADAL_ISA: 'sse1' })
    expect(stdout).toMatch(/✗ model\s+isa: expected one of/)
    expect(status).toBe(1)
  })

  it('measures the embedded model', () => {
    const out = JSON.parse(hadal(['bench', '--runs', '1', '--json']).stdout)
    expect(out.bandwidth).toBeGreaterThan(1e8)
    expect(out.rows).toHaveLength(3)
  })

  it('prints version and usage', () => {
    const { version } = JSON.parse(
      readFileSync(path.join(root, 'packages/hadal/package.json'), 'utf8'),
    )
    expect(hadal(['--version']).stdout).toBe(`${version}\n`)
    expect(hadal(['--help']).stdout).toContain('inspect')
    for (const args of [
      ['run', '--help'],
      ['help', 'run'],
    ]) {
      expect(hadal(args).stdout).toContain('--temperature')
      expect(hadal(args, '', process.env).stdout).not.toContain('\u001b[')
    }
  })
})

describe('examples', () => {
  const files = readdirSync(path.join(root, 'examples')).filter((name) => name.endsWith('.mjs'))
  it.each(files)('%s runs as it is', (name) => {
    const { stdout, status, stderr } = spawnSync(
      process.execPath,
      [path.join(root, 'examples', name)],
      { encoding: 'utf8', timeout: 60_000 },
    )
    expect(stderr).toBe('')
    expect(stdout.length).toBeGreaterThan(10)
    expect(status).toBe(0)
  })
})
