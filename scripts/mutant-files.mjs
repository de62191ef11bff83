// The text files of planted faults (native/tests/cuda/mutants/*.txt): reading them, and making the edit.
// A mutant is a block of `key: value` lines and two pieces of source:
//   mutant: what is wrong, in words        class: missing barrier
//   file: native/cuda/…                    test: rms_norm (program cuda_rms_norm_test)
//   compile: files to build (default: the test's .cu, or the file itself)
//   case: a part of the name of the case that shows it   (where the test's others take long)
//   known-miss: why nothing can see it     (only where that is so)
//   replace: … with: … end                 (whole lines; `replace` must occur exactly once in the file)
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'

export const mutantFolder = 'native/tests/cuda/mutants'

export const classes = [
  'missing barrier',
  'missing fence',
  'stage freed early',
  'read before wait',
  'out of bounds',
  'uninitialised',
  'divergent collective',
  'wrong transaction bytes',
  'deadlock',
  'wrong index',
  'wrong tie rule',
  'wrong rounding',
  'missing wait for the previous kernel',
  'race between blocks',
]

const keys = ['mutant', 'class', 'file', 'test', 'compile', 'case', 'known-miss']

/** The mutants of one file's text; throws with file and line where it cannot be read. */
export function parseMutants(text, file) {
  const mutants = []
  let current
  let into
  text.split('\n').forEach((line, index) => {
    const wrong = (what) => new Error(`${file}:${index + 1}: ${what}`)
    if (into) {
      if (into === 'replace' && line === 'with:') into = 'with'
      else if (into === 'with' && line === 'end') into = undefined
      else current[into] += `${line}\n`
      return
    }
    if (line === '' || line.startsWith('#')) return
    if (line === 'replace:') {
      if (!current) throw wrong('"replace:" before "mutant:"')
      Object.assign(current, { replace: '', with: '' })
      into = 'replace'
      return
    }
    const [, key, value] = /^([a-z-]+): (.+)$/.exec(line) ?? []
    if (!keys.includes(key)) throw wrong(`expected one of ${keys.join(', ')}, got "${line}"`)
    if (key === 'mutant') {
      current = { where: `${file}:${index + 1}` }
      mutants.push(current)
    }
    if (!current) throw wrong(`"${key}:" before "mutant:"`)
    current[key] = value
  })
  if (into) throw new Error(`${file}: the last mutant has no "end"`)
  for (const mutant of mutants) {
    for (const key of ['class', 'file', 'test', 'replace'])
      if (mutant[key] === undefined) throw new Error(`${mutant.where}: no "${key}:"`)
    if (!classes.includes(mutant.class))
      throw new Error(
        `${mutant.where}: class "${mutant.class}", expected one of ${classes.join(', ')}`,
      )
  }
  return mutants
}

export function readMutants(root) {
  const folder = path.join(root, mutantFolder)
  if (!existsSync(folder)) return []
  return readdirSync(folder)
    .filter((name) => name.endsWith('.txt'))
    .sort()
    .flatMap((name) => parseMutants(readFileSync(path.join(folder, name), 'utf8'), name))
}

/** The source with its fault; throws unless the piece to replace is there exactly once, as whole lines. */
export function mutate(source, mutant) {
  const text = `\n${source}`
  const places = []
  for (let at = text.indexOf(`\n${mutant.replace}`); at >= 0; ) {
    places.push(at)
    at = text.indexOf(`\n${mutant.replace}`, at + 1)
  }
  const found = places.length
  if (found !== 1)
    throw new Error(
      `${mutant.where}: the lines to replace are ${found} times in ${mutant.file}, expected once (the kernel has changed: so must its mutant)`,
    )
  const [at] = places
  return source.slice(0, at) + mutant.with + source.slice(at + mutant.replace.length)
}
