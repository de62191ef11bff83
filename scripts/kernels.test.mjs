// The scripts around the CUDA kernels: what they read from ptxas, PTX and machine code, what the gates say of a
// kernel with each fault, how mutants are read and made, and the table of times.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { readBounds, readPtxas, readSass } from './cuda-tools.mjs'
import { judge } from './kernel-gates.mjs'
import { readVerdict } from './kernel-mutants.mjs'
import { csvFields, makeTable, readMeasurements } from './kernel-table.mjs'
import { mutate, parseMutants } from './mutant-files.mjs'

const good = {
  ...{ registers: 64, stack: 0, spillStores: 0, spillLoads: 0, staticShared: 0 },
  ...{ threads: 256, blocks: 4, opcodes: ['LDG.E.NA.128.CONSTANT', 'STS', 'LDS', 'STG.E.128'] },
}
const table = {
  instructions: [{ kernels: 'copy_.*', expect: { 'LDG.*\\.128.*': 1 } }],
  exceptions: [{ kernels: 'copy_odd', rule: 'narrow access', reason: 'rows of odd length' }],
}

describe('gates', () => {
  it.each([
    ['spills', { spillStores: 8 }],
    ['spills', { spillLoads: 8 }],
    ['local memory', { stack: 16 }],
    ['static shared memory', { staticShared: 4 }],
    ['registers', { registers: 65 }],
    ['local memory in the code', { opcodes: [...good.opcodes, 'STL.64'] }],
    ['narrow access', { opcodes: [...good.opcodes, 'LDG.E.U16'] }],
    ['narrow access', { opcodes: [...good.opcodes, 'STG.E.U8'] }],
    ['expected 1 or more', { opcodes: ['LDG.E.64', 'STG.E.128'] }],
    ['fence before a bulk store', { opcodes: [...good.opcodes, 'STS.128', 'UTMASTG.2D'] }],
  ])('say %s', (rule, fault) => {
    expect(judge('copy_bf16', good, table)).toEqual([])
    expect(judge('copy_bf16', { ...good, ...fault }, table).join()).toContain(rule)
  })

  it('let an exception pass, and a fence before a bulk store', () => {
    const used = new Set()
    const narrow = { ...good, opcodes: [...good.opcodes, 'LDG.E.U16'] }
    expect(judge('copy_odd', narrow, table, used)).toEqual([])
    expect(used.has(0)).toBe(true)
    const fenced = [...good.opcodes, 'FENCE.VIEW.ASYNC', 'UTMASTG.2D']
    expect(judge('copy_bf16', { ...good, opcodes: fenced }, table)).toEqual([])
  })

  it('ask for a line about every kernel', () => {
    expect(judge('new_kernel', good, table).join()).toContain('says nothing')
  })
})

describe('what the toolkit prints', () => {
  it('is read by kernel', () => {
    const log = `ptxas info    : 0 bytes gmem
ptxas info    : (C7510) Potential Performance Loss: wgmma.mma_async instructions are serialized
ptxas info    : Compiling entry function 'hadal_a' for 'sm_90a'
ptxas info    : Function properties for hadal_a
    16 bytes stack frame, 8 bytes spill stores, 4 bytes spill loads
ptxas info    : Used 50 registers, used 1 barriers, 16 bytes stack, 128 bytes smem
ptxas info    : Compiling entry function 'hadal_b' for 'sm_90a'
ptxas info    : Function properties for hadal_b
    0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads
ptxas info    : Used 20 registers, used 0 barriers`
    const { kernels, complaints } = readPtxas(log)
    expect(kernels.hadal_a).toEqual({
      ...{ registers: 50, stack: 16, spillStores: 8, spillLoads: 4, staticShared: 128 },
    })
    expect(kernels.hadal_b).toMatchObject({ registers: 20, stack: 0, staticShared: 0 })
    expect(complaints).toHaveLength(1)
  })

  it('has launch bounds in PTX and opcodes in both disassemblers', () => {
    const ptx = `.visible .entry hadal_a(
	.param .align 8 .b8 hadal_a_param_0[56]
)
.maxntid 256, 1, 1
.minnctapersm 4
{`
    expect(readBounds(ptx)).toEqual({ hadal_a: { threads: 256, blocks: 4 } })
    const sass = `		Function : hadal_a
	.headerflags	@"EF_CUDA_SM90"
        /*0000*/                   LDC R1, c[0x0][0x28] ;        /* 0x00000a00ff017b82 */
        /*0010*/              @!P0 LDG.E.NA.128.CONSTANT R4, desc[UR6][R6.64] ;  /* 0x0 */`
    expect(readSass(sass)).toEqual({ hadal_a: ['LDC', 'LDG.E.NA.128.CONSTANT'] })
    const disassembled = `.text.hadal_a:
        /*0000*/                   LDC R1, c[0x0][0x28] ;
        /*0010*/         @!UP0     STG.E.128 desc[UR6][R6.64], R4 ;`
    expect(readSass(disassembled)).toEqual({ hadal_a: ['LDC', 'STG.E.128'] })
  })
})

describe('mutants', () => {
  const text = `# a comment
mutant: the barrier is gone
class: missing barrier
file: a.cuh
test: a
replace:
  sync_block();
with:
end
`
  it('are read, and made where their lines are exactly once', () => {
    const [mutant] = parseMutants(text, 'a.txt')
    expect(mutant).toMatchObject({
      class: 'missing barrier',
      replace: '  sync_block();\n',
      with: '',
    })
    expect(mutate('one\n  sync_block();\ntwo\n', mutant)).toBe('one\ntwo\n')
    expect(() => mutate('one\n', mutant)).toThrow('0 times in a.cuh')
    expect(() => mutate('  sync_block();\n  sync_block();\n', mutant)).toThrow('2 times')
    expect(() => mutate('x  sync_block();\n', mutant)).toThrow('0 times')
  })

  it('of an unknown class, without an end or a file are refused', () => {
    expect(() => parseMutants(text.replace('missing barrier', 'odd'), 'a.txt')).toThrow(
      'class "odd"',
    )
    expect(() => parseMutants(text.replace('end\n', ''), 'a.txt')).toThrow('no "end"')
    expect(() => parseMutants(text.replace('file: a.cuh\n', ''), 'a.txt')).toThrow('no "file:"')
    expect(() => parseMutants(`odd: 1\n${text}`, 'a.txt')).toThrow('a.txt:1')
  })

  it('are caught by hazards, by numbers, by a plain test, never by a crash', () => {
    const end = '1 passed, 1 failed, 0 skipped\n'
    const hazard = readVerdict(
      { output: `ok   x\n  hazard: a race\nseed 1: 2 hazards, numbers right\n${end}` },
      2,
    )
    expect(hazard).toMatchObject({ caught: 1, hazards: 1, numbers: 0, example: 'a race' })
    const numbers = readVerdict({ output: `FAIL x\nseed 2: 0 hazards, numbers wrong\n${end}` }, 2)
    expect(numbers).toMatchObject({ caught: 1, hazards: 0, numbers: 1 })
    const plain = readVerdict({ output: `FAIL is refused\nok   other\n${end}` }, 2)
    expect(plain).toMatchObject({ caught: 2, numbers: 2 })
    const crash = readVerdict(
      { output: 'seed 1: 2 hazards, numbers right\n', signal: 'SIGSEGV' },
      1,
    )
    expect(crash.ended).toBe('crashed')
  })
})

describe('the table of times', () => {
  const row = {
    ...{ kernel: 'copy', shape: 'T=1, D=2', bytes: 3.35e6, flops: 0, floor_us: 1, predicted_us: 2 },
    reason: 'a | b',
  }
  it('says unmeasured, or the newest measured time', () => {
    expect(makeTable([row], new Map())).toContain(
      '| 3.35 MB | – | 1.00 | 2.00 | unmeasured | a \\| b |',
    )
    const folder = mkdtempSync(path.join(tmpdir(), 'hadal-'))
    const header = 'kernel,shape,measured_us,device,date,error\n'
    writeFileSync(path.join(folder, 'a.csv'), `${header}copy,"T=1, D=2",4,H100,2027-01-02,\n`)
    writeFileSync(path.join(folder, 'b.csv'), `${header}copy,"T=1, D=2",8,H100,2027-01-01,\n`)
    const found = readMeasurements(folder)
    rmSync(folder, { recursive: true })
    expect(makeTable([row], found)).toContain('4.00 (25 % of the floor)')
    expect(makeTable([row], found)).toContain('H100, 2027-01-02 (`bench/results/a.csv`)')
  })

  it('reads quoted fields', () => {
    expect(csvFields('a,"b, ""c""",,d')).toEqual(['a', 'b, "c"', '', 'd'])
  })
})
