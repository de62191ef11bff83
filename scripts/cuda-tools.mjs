// Finds the CUDA toolkit's programs, compiles kernels with the flags that all of Hadal's kernels have, and reads
// what ptxas and the disassembler say of them. Without nvcc there is nothing here to run: callers say "skipped".
import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'

// Not -arch=sm_90a: it makes a compute_90 pass besides, in which wgmma does not exist. Not -rdc=true: with it
// ptxas ignores setmaxnreg (C7504).
export const nvccFlags = ['-std=c++20', '-O3', '-gencode', 'arch=compute_90a,code=sm_90a']

export function execute(program, args, options = {}) {
  return new Promise((resolve) => {
    const { input, ...rest } = options
    const done = (error, stdout, stderr) =>
      resolve({ status: error ? (error.code ?? 1) : 0, stdout, stderr })
    const child = execFile(program, args, { maxBuffer: 1 << 28, ...rest }, done)
    if (input !== undefined) child.stdin.end(input)
  })
}

const onPath = (name) =>
  (process.env.PATH ?? '')
    .split(path.delimiter)
    .map((folder) => path.join(folder, name))
    .find((file) => existsSync(file))

/** nvcc from CUDACXX, the PATH, or the newest toolkit under /usr/local; undefined if there is none. */
export function findNvcc() {
  if (process.env.CUDACXX) return process.env.CUDACXX
  const local = existsSync('/usr/local') ? readdirSync('/usr/local') : []
  const toolkits = local
    .filter((name) => name.startsWith('cuda'))
    .sort((a, b) => b.length - a.length)
  const candidates = toolkits.map((name) => path.join('/usr/local', name, 'bin/nvcc'))
  return onPath('nvcc') ?? candidates.find((file) => existsSync(file))
}

/** cuobjdump or nvdisasm: HADAL_CUOBJDUMP, the PATH, or beside nvcc. */
export function findDisassembler(nvcc) {
  if (process.env.HADAL_CUOBJDUMP) return process.env.HADAL_CUOBJDUMP
  const beside = ['cuobjdump', 'nvdisasm'].map((name) => path.join(path.dirname(nvcc), name))
  return (
    onPath('cuobjdump') ??
    onPath('nvdisasm') ??
    beside.find((file) => existsSync(file)) ??
    undefined
  )
}

/** A source and all that it includes from `native`, as a digest. */
export function digestOf(root, source, salt) {
  const seen = new Map()
  const visit = (file) => {
    if (seen.has(file)) return
    const text = readFileSync(path.join(root, file), 'utf8')
    seen.set(file, text)
    for (const [, name] of text.matchAll(/^\s*#include "([^"]+)"/gm)) {
      const found = [path.join(path.dirname(file), name), path.join('native', name)].find((f) =>
        existsSync(path.join(root, f)),
      )
      if (found) visit(found)
    }
  }
  visit(source)
  const hash = createHash('sha256').update(salt)
  for (const [file, text] of [...seen].sort()) hash.update(`${file}\0${text}\0`)
  return hash.digest('hex')
}

/** ptxas -v by kernel: registers, stack, spills, static shared memory; and its complaints. */
export function readPtxas(log) {
  const kernels = {}
  let current
  for (const line of log.split('\n')) {
    const entry = /Compiling entry function '([^']+)'/.exec(line)
    if (entry) {
      current = { registers: 0, stack: 0, spillStores: 0, spillLoads: 0, staticShared: 0 }
      kernels[entry[1]] = current
    }
    const stack = /(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads/.exec(
      line,
    )
    // The numbers after "Function properties for" another function are that one's own.
    if (stack && current && current.stack === 0) {
      const [frame, stores, loads] = stack.slice(1).map(Number)
      Object.assign(current, { stack: frame, spillStores: stores, spillLoads: loads })
    }
    const used = /Used (\d+) registers/.exec(line)
    if (used && current) {
      current.registers = Number(used[1])
      current.staticShared = Number(/(\d+) bytes smem/.exec(line)?.[1] ?? 0)
    }
  }
  const complaints = log
    .split('\n')
    .filter((line) => /Potential Performance Loss|ptxas (warning|error)|: warning/.test(line))
  return { kernels, complaints }
}

/** Threads of a block and blocks of an SM that __launch_bounds__ promises, by kernel, from PTX. */
export function readBounds(ptx) {
  const bounds = {}
  for (const [, name, directives] of ptx.matchAll(/\.entry (\w+)\([^)]*\)([^{]*)\{/g)) {
    const [x = 1, y = 1, z = 1] = (/\.maxntid ([\d, ]+)/.exec(directives)?.[1] ?? '1')
      .split(',')
      .map(Number)
    const blocks = Number(/\.minnctapersm (\d+)/.exec(directives)?.[1] ?? 1)
    bounds[name] = { threads: x * y * z, blocks }
  }
  return bounds
}

/** The opcodes of each kernel in order, from cuobjdump -sass or nvdisasm -c. */
export function readSass(text) {
  const kernels = {}
  let current
  for (const line of text.split('\n')) {
    const name = /^\s*Function : (\S+)/.exec(line) ?? /^\.text\.([\w$]+):/.exec(line)
    if (name) {
      current = []
      kernels[name[1]] = current
    }
    const opcode = /^\s*\/\*[0-9a-f]+\*\/\s+(?:\{\s*)?(?:@!?U?P\w+\s+)?([A-Z][\w.]*)/.exec(line)
    if (opcode && current) current.push(opcode[1])
  }
  return kernels
}

/** Compiles one .cu; `{ error }` or what is known of each of its kernels. */
export async function inspect(root, source, nvcc, disassembler) {
  const folder = mkdtempSync(path.join(tmpdir(), 'hadal-gate-'))
  try {
    const cubin = path.join(folder, 'kernel.cubin')
    const includes = ['native', 'native/include'].flatMap((f) => ['-I', path.join(root, f)])
    const keep = ['--keep', '--keep-dir', folder, '-Xptxas', '-v', '-cubin', '-o', cubin]
    const compiled = await execute(nvcc, [...nvccFlags, ...includes, ...keep, source], {
      cwd: root,
    })
    if (compiled.status !== 0) return { error: compiled.stderr.slice(0, 4000) }
    const { kernels, complaints } = readPtxas(compiled.stderr)
    const ptx = readdirSync(folder).find((name) => name.endsWith('.ptx'))
    const bounds = readBounds(readFileSync(path.join(folder, ptx), 'utf8'))
    const sass = disassembler ? await disassemble(disassembler, cubin) : undefined
    for (const [name, facts] of Object.entries(kernels))
      Object.assign(facts, bounds[name], sass ? { opcodes: sass[name] ?? [] } : {})
    return { kernels, complaints, bytes: readFileSync(cubin).length }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

async function disassemble(program, cubin) {
  const args = path.basename(program).startsWith('nvdisasm') ? ['-c', cubin] : ['-sass', cubin]
  // cuobjdump starts nvdisasm, which lies beside it.
  const PATH = [path.dirname(program), process.env.PATH].join(path.delimiter)
  const run = await execute(program, args, { env: { ...process.env, PATH } })
  if (run.status !== 0) throw new Error(`${program} failed: ${run.stderr.slice(0, 500)}`)
  return readSass(run.stdout)
}
