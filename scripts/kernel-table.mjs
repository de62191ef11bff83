#!/usr/bin/env node
// The tables of docs/kernels.md, between its two marks: every benchmark row with its floor, its prediction and,
// from bench/results/*.csv, the newest measured time. Text around the marks is written by hand.
//   node scripts/kernel-table.mjs [--check]
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..')
const page = path.join(root, 'docs/kernels.md')
const results = path.join(root, 'bench/results')
const [begin, end] = ['<!-- table: scripts/kernel-table.mjs -->', '<!-- end of table -->']

function listRows() {
  const bench = path.join(root, 'packages/native/build/bench/hadal_cuda_bench')
  const run = spawnSync(bench, ['--list'], { encoding: 'utf8' })
  if (run.status !== 0) throw new Error(`${bench} --list failed: ${run.error ?? run.stderr}`)
  return JSON.parse(run.stdout)
}

/** The fields of one line; quotes may hold commas, and two quotes in quotes are one. */
export function csvFields(line) {
  const fields = []
  for (const [, quoted, plain] of line.matchAll(/(?:^|,)(?:"((?:[^"]|"")*)"|([^,]*))/g))
    fields.push(quoted === undefined ? plain : quoted.replaceAll('""', '"'))
  return fields
}

/** Measured rows of all result files, a later date last: "kernel shape" → fields by name. */
export function readMeasurements(folder = results) {
  const found = []
  for (const name of existsSync(folder) ? readdirSync(folder).sort() : []) {
    if (!name.endsWith('.csv')) continue
    const [header = '', ...lines] = readFileSync(path.join(folder, name), 'utf8').trim().split('\n')
    if (!header.startsWith('kernel,shape,')) continue
    const names = csvFields(header)
    for (const line of lines) {
      const row = Object.fromEntries(csvFields(line).map((value, i) => [names[i], value]))
      if (row.measured_us) found.push({ ...row, file: name })
    }
  }
  found.sort((a, b) => (a.date < b.date ? -1 : a.date > b.date ? 1 : 0))
  return new Map(found.map((row) => [`${row.kernel} ${row.shape}`, row]))
}

const digits = (value) => {
  const number = Number(value)
  if (number >= 100) return number.toFixed(0)
  return number >= 10 ? number.toFixed(1) : number.toFixed(2)
}

function amount(value, units) {
  if (value === 0) return '–'
  const power = Math.min(Math.floor(Math.log10(value) / 3), units.length - 1)
  return `${digits(value / 1000 ** power)} ${units[power]}`
}

export function makeTable(rows, measurements) {
  const lines = rows.map((row) => {
    const measured = measurements.get(`${row.kernel} ${row.shape}`)
    const floorShare = measured && ((100 * row.floor_us) / Number(measured.measured_us)).toFixed(0)
    const cells = [
      row.kernel,
      row.shape,
      amount(row.bytes, ['B', 'KB', 'MB', 'GB']),
      amount(row.flops, ['', 'K', 'M', 'G', 'T']),
      digits(row.floor_us),
      digits(row.predicted_us),
      measured ? `${digits(measured.measured_us)} (${floorShare} % of the floor)` : 'unmeasured',
      row.reason,
    ]
    return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`
  })
  const used = rows.map((row) => measurements.get(`${row.kernel} ${row.shape}`)).filter(Boolean)
  const runs = [...new Set(used.map((m) => `${m.device}, ${m.date} (\`bench/results/${m.file}\`)`))]
  const source = runs.length > 0 ? `Measured on: ${runs.join('; ')}.` : 'Nothing is measured yet.'
  return `${source}

| kernel | shape | moves | FLOP | floor µs | predicted µs | measured µs | why the prediction |
|---|---|--:|--:|--:|--:|--:|---|
${lines.join('\n')}
`
}

function renew(text) {
  const [from, to] = [text.indexOf(begin), text.indexOf(end)]
  if (from < 0 || to < from) throw new Error(`docs/kernels.md: expected "${begin}" … "${end}"`)
  const table = makeTable(listRows(), readMeasurements())
  return `${text.slice(0, from + begin.length)}\n\n${table}\n${text.slice(to)}`
}

/** Problems of the committed page; none when it is what this script would write. */
export function checkTable() {
  try {
    const text = readFileSync(page, 'utf8')
    return renew(text) === text
      ? []
      : ['run node scripts/kernel-table.mjs and commit docs/kernels.md']
  } catch (error) {
    return [error.message]
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  if (process.argv.includes('--check')) {
    const problems = checkTable()
    for (const problem of problems) process.stderr.write(`${problem}\n`)
    process.exitCode = problems.length === 0 ? 0 : 1
  } else writeFileSync(page, renew(readFileSync(page, 'utf8')))
}
