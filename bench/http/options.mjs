// The command line of run.mjs: names, defaults and checks.
import os from 'node:os'
import { parseArgs } from 'node:util'

export const help = `node bench/http/run.mjs [--url http://127.0.0.1:8000 | --spawn] [options] [-- arguments of hadal serve]

Load       --rate 2            requests a second, at seeded random times; 1,2,4 runs one after another
           --arrival poisson   or constant
           --concurrency 8     instead of a rate: always so many at once (hides queueing; for comparison only)
           --requests 100      that count, of each run; --warmup 5 come before them and do not
Prompts    --prompt 128        tokens: N, uniform:A-B, lognormal:MEDIAN,SIGMA, exp:MEAN; ..N at the end is the most
           --output 64         max_tokens, likewise
           --shared-prefix 0.5 share of requests that begin with one of --prefixes 1 texts of --prefix-tokens 256
           --seed 1            of arrivals, lengths and sampling; --salt N fixes the words as well
SLO        --slo-ttft 1000     ms to the first token; --slo-itl 200: 99th percentile of a request's gaps
Requests   --model NAME        default: the first of /v1/models; --api-key KEY (HADAL_API_KEY)
           --body JSON         fields for every request, e.g. '{"ignore_eos": true}' where the server has it
           --timeout 120       seconds until a request counts as failed
Results    --out PREFIX        default bench/results/<date>-http-<machine>; --no-write; --json prints the summary
`

const flags = {
  url: { type: 'string', default: 'http://127.0.0.1:8000' },
  spawn: { type: 'boolean', default: false },
  rate: { type: 'string' },
  arrival: { type: 'string', default: 'poisson' },
  concurrency: { type: 'string' },
  requests: { type: 'string', default: '100' },
  warmup: { type: 'string', default: '5' },
  prompt: { type: 'string', default: '128' },
  output: { type: 'string', default: '64' },
  'shared-prefix': { type: 'string', default: '0' },
  prefixes: { type: 'string', default: '1' },
  'prefix-tokens': { type: 'string', default: '256' },
  seed: { type: 'string', default: '1' },
  salt: { type: 'string' },
  'slo-ttft': { type: 'string', default: '1000' },
  'slo-itl': { type: 'string', default: '200' },
  model: { type: 'string' },
  'api-key': { type: 'string' },
  body: { type: 'string', default: '{}' },
  timeout: { type: 'string', default: '120' },
  out: { type: 'string' },
  'no-write': { type: 'boolean', default: false },
  json: { type: 'boolean', default: false },
  help: { type: 'boolean', default: false },
}

function numbers(flag, text, { min = 0, most = Number.POSITIVE_INFINITY } = {}) {
  return text.split(',').map((part) => {
    const value = Number(part)
    if (part.trim() !== '' && value >= min && value <= most) return value
    throw new Error(`--${flag}: expected a number from ${min} to ${most}, got "${part}"`)
  })
}

function jsonObject(flag, text) {
  try {
    const value = JSON.parse(text)
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value
  } catch {}
  throw new Error(`--${flag}: expected a JSON object, got ${text}`)
}

/** Throws an Error that names the flag. */
export function parseOptions(args) {
  const { values, positionals } = parseArgs({ args, options: flags, allowPositionals: true })
  const one = (flag, range) => numbers(flag, values[flag], range)[0]
  if (!values.spawn && positionals.length > 0)
    throw new Error(`expected no argument "${positionals[0]}" (those of hadal serve need --spawn)`)
  if (values.rate !== undefined && values.concurrency !== undefined)
    throw new Error('--rate, --concurrency: expected one of them, got both')
  if (values.arrival !== 'poisson' && values.arrival !== 'constant')
    throw new Error(`--arrival: expected poisson or constant, got ${values.arrival}`)
  const closed = values.concurrency !== undefined
  return {
    ...{ help: values.help, json: values.json, write: !values['no-write'], out: values.out },
    ...{ spawn: values.spawn, serveArgs: positionals, url: values.url, model: values.model },
    apiKey: values['api-key'] ?? process.env.HADAL_API_KEY,
    timeoutMs: one('timeout', { min: 0.001 }) * 1000,
    body: jsonObject('body', values.body),
    loads: closed
      ? numbers('concurrency', values.concurrency, { min: 1 }).map((concurrency) => ({
          concurrency,
        }))
      : numbers('rate', values.rate ?? '2', { min: 1e-6 }).map((rate) => ({ rate })),
    slo: { ttft: one('slo-ttft'), itl: one('slo-itl') },
    warmup: one('warmup'),
    workload: {
      ...{ count: one('requests', { min: 1 }), arrival: values.arrival },
      ...{ prompt: values.prompt, output: values.output, seed: one('seed') },
      salt: values.salt === undefined ? Math.floor(Math.random() * 2 ** 31) : one('salt'),
      sharedPrefix: one('shared-prefix', { most: 1 }),
      prefixes: one('prefixes', { min: 1 }),
      prefixTokens: one('prefix-tokens'),
    },
  }
}

export function machine() {
  const cpus = os.cpus()
  const cpu = cpus[0]?.model.trim() || 'unknown CPU'
  return {
    ...{ cpu, cores: cpus.length, memoryBytes: os.totalmem() },
    ...{ platform: `${os.platform()} ${os.arch()}`, node: process.version },
  }
}

const slug = (text) =>
  text
    .toLowerCase()
    .replace(/\(r\)|\(tm\)|processor|cpu|@.*$/g, '')
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-|-$/g, '')

export function defaultPrefix(folder, { cpu, cores }) {
  const date = new Date().toISOString().slice(0, 10)
  return `${folder}/${date}-http-${slug(cpu) || 'unknown'}-${cores}-cores`
}
