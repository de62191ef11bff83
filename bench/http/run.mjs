#!/usr/bin/env node
// Measures a chat server under load. `node bench/http/run.mjs --help`; what the figures mean: bench/README.md.
import { mkdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { createAgent, send } from './client.mjs'
import { closedLoop, openLoop } from './load.mjs'
import { defaultPrefix, help, machine, parseOptions } from './options.mjs'
import { goodputPlot, latencyPlot } from './plot.mjs'
import { spawnServer } from './spawn.mjs'
import { measure, round, summarise } from './summary.mjs'
import { arrivals, random, requests, words } from './workload.mjs'

/** Asks a server; `body` are the fields besides messages and length. */
function createTarget(options, url, model) {
  const target = new URL(`${url.replace(/\/$/, '')}/v1/chat/completions`)
  const [agent, { apiKey, timeoutMs, body }] = [createAgent(target), options]
  return (messages, maxTokens, seed) =>
    send({
      ...{ url: target, agent, apiKey, timeoutMs },
      body: {
        ...{ model, messages, max_tokens: maxTokens, seed, stream: true },
        stream_options: { include_usage: true },
        ...body,
      },
    })
}

async function firstModel(url, apiKey) {
  const headers = apiKey ? { authorization: `Bearer ${apiKey}` } : {}
  const response = await fetch(`${url}/v1/models`, { headers })
  if (!response.ok) throw new Error(`${url}/v1/models: ${response.status}; give --model`)
  return (await response.json()).data[0].id
}

/** Tokens of a prompt as base + perWord × words, by two questions; one token a word where usage is not told. */
async function calibrate(ask, seed) {
  const counts = []
  for (const size of [8, 48]) {
    const content = words(size, random(seed + size))
    const { usage, error } = await ask([{ role: 'user', content }], 1, 1)
    if (error) throw new Error(`the first request failed: ${error}`)
    counts.push(usage?.prompt_tokens)
  }
  const [few, many] = counts
  const perWord = (many - few) / 40
  return perWord > 0 ? { base: few - 8 * perWord, perWord } : { base: 0, perWord: 1 }
}

/** One load, warm-up included; `results` are those of the requests that count. */
export async function runLoad(ask, load, { workload, warmup, slo }, index, calibration) {
  const count = workload.count + warmup
  const list = requests({ ...workload, count, calibration, salt: workload.salt + index })
  const one = (i) => ask(list[i].messages, list[i].maxTokens, workload.seed + i)
  const { arrival: kind, seed } = workload
  const results =
    load.rate === undefined
      ? await closedLoop(count, load.concurrency, one)
      : await openLoop(arrivals({ count, rate: load.rate, kind, seed }), one)
  const counted = results.slice(warmup)
  return {
    summary: { ...load, ...summarise(counted, slo) },
    rows: counted.map((result, i) => toRow(load, result, list[i + warmup], counted[0].dueAt)),
  }
}

const columns = [
  ...['rate', 'concurrency', 'due_ms', 'lag_ms', 'ttft_ms', 'e2e_ms', 'tpot_ms', 'itl_p50_ms'],
  ...['itl_p99_ms', 'itl_max_ms', 'prompt_tokens', 'cached_tokens', 'output_tokens', 'shared'],
  ...['finish', 'error'],
]

function toRow(load, result, request, origin) {
  const m = measure(result)
  const itl = Float64Array.from(m.itl).sort()
  const values = [
    ...[load.rate, load.concurrency, result.dueAt - origin, m.lag, m.ttft, m.e2e, m.tpot],
    ...[itl[itl.length >> 1], m.itlP99, itl.at(-1), m.promptTokens, m.cachedTokens, m.tokens],
    ...[request.shared, result.finishReason, m.error],
  ]
  return values
    .map((value) => (typeof value === 'number' ? (Number.isNaN(value) ? '' : round(value)) : value))
    .map((value) => (value === undefined ? '' : String(value).replace(/[",\n]/g, ' ')))
    .join(',')
}

const head =
  '    load   done  fail   out tok/s   TTFT p50    p99   ITL p50    p99   E2E p50    p99   goodput   cached'

function toLine(s) {
  const load = s.rate === undefined ? `${s.concurrency} at once` : `${s.rate}/s`
  const { ttft, itl, e2e } = s.latency
  const pad = (value, width) => String(value).padStart(width)
  const ms = (value, width) => pad(Number.isNaN(value) ? '-' : value.toFixed(0), width)
  const gaps = (value, width) => pad(Number.isNaN(value) ? '-' : value.toFixed(1), width)
  return [
    pad(load, 8) + pad(s.completed, 7) + pad(s.failed, 6) + ms(s.outputTokensPerSecond, 12),
    ms(ttft.p50, 9) + ms(ttft.p99, 7) + gaps(itl.p50, 10) + gaps(itl.p99, 7),
    ms(e2e.p50, 8) + ms(e2e.p99, 7) + pad(`${(s.goodShare * 100).toFixed(0)} %`, 10),
    pad(`${(s.cacheHitShare * 100).toFixed(0)} %`, 7),
  ].join('  ')
}

function warn({ rate, lag, errors, failed }, print) {
  if (rate !== undefined && lag.p99 > 20)
    print(`  requests left up to ${lag.p99.toFixed(0)} ms late (p99): this process was a limit`)
  if (failed > 0) print(`  failed: ${JSON.stringify(errors)}`)
}

async function measureAll(options, print) {
  const server = options.spawn ? await spawnServer(options.serveArgs) : undefined
  const stop = async () => server?.stop()
  process.once('SIGINT', () => stop().then(() => process.exit(130)))
  try {
    const url = server?.url ?? options.url
    const model = options.model ?? (await firstModel(url, options.apiKey))
    const ask = createTarget(options, url, model)
    const calibration = await calibrate(ask, options.workload.salt + 1)
    print(head)
    const runs = []
    for (const [i, load] of options.loads.entries()) {
      const run = await runLoad(ask, load, options, i, calibration)
      print(toLine(run.summary))
      warn(run.summary, print)
      runs.push(run)
    }
    const peakRssBytes = server?.peakRss()
    return { model, calibration, runs, ...(peakRssBytes !== undefined && { peakRssBytes }) }
  } finally {
    await stop()
  }
}

async function main() {
  const options = parseOptions(process.argv.slice(2))
  if (options.help) return process.stdout.write(help)
  const print = (line) => process.stderr.write(`${line}\n`)
  const { runs, ...about } = await measureAll(options, print)
  const [{ slo, workload, warmup, body }, here] = [options, machine()]
  const date = new Date().toISOString()
  const settings = { ...workload, warmup, ...(Object.keys(body).length > 0 && { body }) }
  const report = { date, machine: here, ...about, workload: settings, slo, runs: [] }
  report.runs = runs.map(({ summary }) => summary)
  if (options.json) process.stdout.write(`${JSON.stringify(report, null, 2)}\n`)
  if (!options.write) return
  const results = fileURLToPath(new URL('../results', import.meta.url))
  const prefix = options.out ?? defaultPrefix(results, here)
  mkdirSync(path.dirname(prefix), { recursive: true })
  const csv = [columns.join(','), ...runs.flatMap(({ rows }) => rows)].join('\n')
  writeFileSync(`${prefix}.json`, `${JSON.stringify(report)}\n`)
  writeFileSync(`${prefix}.csv`, `${csv}\n`)
  writeFileSync(`${prefix}-latency.svg`, latencyPlot(report))
  writeFileSync(`${prefix}-goodput.svg`, goodputPlot(report))
  print(`${prefix}.{json,csv} and its plots are written`)
}

if (process.argv[1] === fileURLToPath(import.meta.url))
  main().catch((error) => {
    process.stderr.write(`bench/http: ${error.message}\n`)
    process.exitCode = 1
  })
