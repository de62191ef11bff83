#!/usr/bin/env node
// Draws a report of run.mjs as two SVGs: distributions of latency, and goodput against load. No dependency.
//   node bench/http/plot.mjs bench/results/<name>.json     redraws <name>-latency.svg and <name>-goodput.svg
import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const ink = { text: '#1c2430', soft: '#5b6675', grid: '#e3e7ec', slo: '#c2410c', ideal: '#9aa4b1' }
// From low load to high: dark to bright, told apart without colour vision by lightness.
const ramp = [
  '#0b3c5d',
  '#1d6fa5',
  '#3aa6b9',
  '#6cc070',
  '#d9a521',
  '#e4572e',
  '#a4243b',
  '#5b1a5e',
]
const font = 'font-family="system-ui, -apple-system, Segoe UI, Helvetica, Arial, sans-serif"'

const escapeXml = (text) => String(text).replace(/&/g, '&amp;').replace(/</g, '&lt;')
const at = (value) => (Math.round(value * 10) / 10).toString()

function text(x, y, content, { size = 12, color = ink.text, anchor = 'start', weight = 400 } = {}) {
  return `<text x="${at(x)}" y="${at(y)}" font-size="${size}" fill="${color}" text-anchor="${anchor}" font-weight="${weight}">${escapeXml(content)}</text>`
}

function line(x1, y1, x2, y2, color, extra = '') {
  return `<line x1="${at(x1)}" y1="${at(y1)}" x2="${at(x2)}" y2="${at(y2)}" stroke="${color}" ${extra}/>`
}

function path(points, color, extra = '') {
  const d = points.map(([x, y], i) => `${i === 0 ? 'M' : 'L'}${at(x)} ${at(y)}`).join('')
  return `<path d="${d}" fill="none" stroke="${color}" stroke-width="2" stroke-linejoin="round" ${extra}/>`
}

export function duration(ms) {
  if (ms < 1) return `${Number((ms * 1000).toPrecision(3))} µs`
  if (ms < 1000) return `${Number(ms.toPrecision(3))} ms`
  return `${Number((ms / 1000).toPrecision(3))} s`
}

/** Round values at or around [low, high]: 1, 2, 5 × 10ⁿ; powers of ten alone when there are many. */
export function logTicks(low, high, most = 6) {
  const ticks = []
  for (let power = Math.floor(Math.log10(low)); power <= Math.ceil(Math.log10(high)); power++)
    for (const digit of [1, 2, 5]) ticks.push(digit * 10 ** power)
  const inside = ticks.filter((tick) => tick >= low * 0.999 && tick <= high * 1.001)
  const isPower = (tick) => Math.abs(Math.log10(tick) % 1) < 1e-9
  return inside.length <= most ? inside : inside.filter(isPower)
}

/** Round, evenly spaced values from 0 to at least `high`. */
export function linearTicks(high, count = 5) {
  const raw = (high || 1) / count
  const power = 10 ** Math.floor(Math.log10(raw))
  const step = [1, 2, 2.5, 5, 10].map((digit) => digit * power).find((value) => value >= raw)
  const ticks = []
  for (let i = 0; i === 0 || ticks.at(-1) < high * 0.999; i++)
    ticks.push(Number((i * step).toPrecision(12)))
  return ticks
}

/** A plot's frame: axes, ticks and title. `x`, `y` map values to points. */
function panel({ left, top, width, height, title, xTicks, yTicks, xLabel, yLabel, log }) {
  const f = log ? Math.log10 : (value) => value
  const [x0, x1] = [f(log ? log[0] : xTicks[0]), f(log ? log[1] : xTicks.at(-1))]
  const x = (value) => left + ((f(value) - x0) / (x1 - x0 || 1)) * width
  const y = (value) => top + height - (value / yTicks.at(-1).value) * height
  const parts = [text(left, top - 12, title, { size: 13, weight: 600 })]
  for (const { value, label } of yTicks) {
    parts.push(line(left, y(value), left + width, y(value), ink.grid))
    parts.push(text(left - 7, y(value) + 4, label, { color: ink.soft, size: 11, anchor: 'end' }))
  }
  for (const tick of xTicks) {
    parts.push(line(x(tick), top, x(tick), top + height, ink.grid))
    const label = log ? duration(tick) : `${tick}`
    parts.push(
      text(x(tick), top + height + 17, label, { color: ink.soft, size: 11, anchor: 'middle' }),
    )
  }
  parts.push(
    text(left + width / 2, top + height + 36, xLabel, { color: ink.soft, anchor: 'middle' }),
  )
  if (yLabel) parts.push(text(left, top + height + 36, yLabel, { color: ink.soft }))
  parts.push(line(left, top + height, left + width, top + height, ink.soft))
  return { x, y, parts }
}

const frame = (width, height, parts) =>
  `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" ${font}>\n<rect width="${width}" height="${height}" fill="#ffffff"/>\n${parts.join('\n')}\n</svg>\n`

const loadName = (run) => (run.rate === undefined ? `${run.concurrency} at once` : `${run.rate} /s`)

/** Where in the ramp: the ends are used also when there are few. */
function colors(count) {
  return Array.from(
    { length: count },
    (_, i) => ramp[count === 1 ? 1 : Math.round((i * (ramp.length - 2)) / (count - 1))],
  )
}

function heading(report, title) {
  const { machine, model, workload, runs } = report
  const counted = `${runs[0].requests} requests each, prompts ${workload.prompt} tokens, answers ${workload.output}`
  const shared = workload.sharedPrefix
    ? `, ${workload.sharedPrefix * 100} % share ${workload.prefixTokens} tokens`
    : ''
  return [
    text(24, 32, title, { size: 17, weight: 600 }),
    text(
      24,
      52,
      `${model} · ${machine.cpu}, ${machine.cores} cores · ${report.date.slice(0, 10)}`,
      {
        color: ink.soft,
      },
    ),
    text(24, 69, counted + shared, { color: ink.soft }),
  ]
}

function legend(runs, palette, y) {
  let x = 24
  return runs.flatMap((run, i) => {
    const name = loadName(run)
    const parts = [
      line(x, y - 4, x + 20, y - 4, palette[i], 'stroke-width="3"'),
      text(x + 26, y, name, { size: 12 }),
    ]
    x += 26 + name.length * 6.6 + 22
    return parts
  })
}

const wholes = [0, 25, 50, 75, 100].map((value) => ({ value, label: `${value} %` }))

/** Distributions of TTFT, gaps and whole answers, one line for each load. */
export function latencyPlot(report) {
  const { runs, slo } = report
  const palette = colors(runs.length)
  const titles = { ttft: 'First token', itl: 'Between tokens', e2e: 'Whole answer' }
  const parts = heading(report, 'Latency, from the time at which a request was due')
  for (const [column, name] of Object.keys(titles).entries()) {
    const series = runs.map((run) => run.quantiles[name])
    // Zero gaps (two events in one read) have no place on a logarithmic axis.
    const all = series.flat().filter((value) => value > 0)
    if (all.length === 0) continue
    const limit = slo[name]
    // Gaps of microseconds are events of one read; they would squeeze the rest, and start at the left edge instead.
    const low = Math.max(Math.min(...all), Math.min(...series.map((s) => s[100] ?? all[0])) / 10)
    const high = Math.max(...all, ...(limit && limit < Math.max(...all) * 4 ? [limit] : []))
    const log = [low * 0.9, Math.max(high, low * 2) * 1.05]
    const frame = { left: 64 + column * 310, top: 112, width: 262, height: 230, log }
    const {
      x,
      y,
      parts: axes,
    } = panel({
      ...{ ...frame, title: titles[name], xTicks: logTicks(...log, 5), yTicks: wholes },
      xLabel:
        column === 1 ? 'logarithmic; share of requests, or of gaps, that took at most so long' : '',
    })
    parts.push(...axes)
    const clip = (value) => Math.min(Math.max(value, log[0]), log[1])
    for (const [i, values] of series.entries())
      parts.push(
        path(
          values.map((value, k) => [x(clip(value)), y(k / 2)]),
          palette[i],
        ),
      )
    if (limit && limit >= log[0] && limit <= log[1]) {
      parts.push(
        line(
          x(limit),
          frame.top,
          x(limit),
          frame.top + frame.height,
          ink.slo,
          'stroke-dasharray="4 3" stroke-width="1.5"',
        ),
      )
      const anchor = x(limit) > frame.left + frame.width / 2 ? 'end' : 'start'
      const shift = anchor === 'end' ? -5 : 5
      parts.push(
        text(x(limit) + shift, frame.top + frame.height - 8, `SLO ${duration(limit)}`, {
          size: 11,
          color: ink.slo,
          anchor,
        }),
      )
    }
  }
  parts.push(...legend(runs, palette, 412))
  return frame(980, 430, parts)
}

function dots(points, color) {
  const marks = points.map(
    ([x, y]) => `<circle cx="${at(x)}" cy="${at(y)}" r="4" fill="${color}"/>`,
  )
  return [path(points, color), ...marks]
}

function goodputLegend(open) {
  const ideal = `stroke-width="2" stroke-dasharray="3 4"`
  return [
    line(24, 426, 44, 426, ramp[0], 'stroke-width="3"'),
    text(50, 430, 'within the SLO'),
    line(160, 426, 180, 426, ramp[2], 'stroke-width="3"'),
    text(186, 430, 'all that were answered'),
    ...(open
      ? [line(344, 426, 364, 426, ink.ideal, ideal), text(370, 430, 'as many as were offered')]
      : []),
  ]
}

/** Requests within the SLO a second, and their share, against the load. */
export function goodputPlot(report) {
  const { slo } = report
  const open = report.runs[0].rate !== undefined
  const load = (run) => (open ? run.rate : run.concurrency)
  const runs = [...report.runs].sort((a, b) => load(a) - load(b))
  const xTicks = linearTicks(load(runs.at(-1)))
  const top = Math.max(...runs.flatMap((run) => [run.goodput, run.completedRate]))
  const yTicks = linearTicks(top).map((value) => ({ value, label: `${value}` }))
  const xLabel = open ? 'requests a second, offered' : 'requests at once'
  const size = { top: 112, width: 380, height: 250 }
  const parts = heading(
    report,
    `Goodput: first token ≤ ${duration(slo.ttft)}, 99 % of its gaps ≤ ${duration(slo.itl)}`,
  )
  const left = panel({ left: 64, ...size, title: 'Requests a second', xTicks, yTicks, xLabel })
  parts.push(...left.parts)
  if (open) {
    const end = Math.min(xTicks.at(-1), yTicks.at(-1).value)
    parts.push(
      line(
        left.x(0),
        left.y(0),
        left.x(end),
        left.y(end),
        ink.ideal,
        'stroke-dasharray="3 4" stroke-width="1.5"',
      ),
    )
  }
  const points = (plot, f) => runs.map((run) => [plot.x(load(run)), plot.y(f(run))])
  parts.push(
    ...dots(
      points(left, (run) => run.completedRate),
      ramp[2],
    ),
  )
  parts.push(
    ...dots(
      points(left, (run) => run.goodput),
      ramp[0],
    ),
  )
  const right = panel({
    left: 540,
    ...size,
    title: 'Share within the SLO',
    xTicks,
    yTicks: wholes,
    xLabel,
  })
  parts.push(
    ...right.parts,
    ...dots(
      points(right, (run) => run.goodShare * 100),
      ramp[0],
    ),
  )
  parts.push(...goodputLegend(open))
  return frame(980, 448, parts)
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  for (const file of process.argv.slice(2)) {
    const report = JSON.parse(readFileSync(file, 'utf8'))
    const prefix = file.replace(/\.json$/, '')
    writeFileSync(`${prefix}-latency.svg`, latencyPlot(report))
    writeFileSync(`${prefix}-goodput.svg`, goodputPlot(report))
    process.stdout.write(`${prefix}-latency.svg\n${prefix}-goodput.svg\n`)
  }
}
