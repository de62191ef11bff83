// Counters and histograms in Prometheus' text format. Labels come from fixed sets (routes, reasons), so strangers
// cannot make their number grow.
import { monitorEventLoopDelay } from 'node:perf_hooks'
import type { PrefixCacheStats } from '@hadal/engine'
import type { ServedModel } from './model.ts'

type Labels = Readonly<Record<string, string | number>>

const labelText = (labels: Labels): string => {
  const list = Object.entries(labels).map(([name, value]) => `${name}="${escapeLabel(value)}"`)
  return list.length > 0 ? `{${list.join(',')}}` : ''
}
const escapeLabel = (value: string | number) =>
  String(value).replace(/[\\"\n]/g, (c) => (c === '\n' ? '\\n' : `\\${c}`))

class Counter {
  readonly #name: string
  readonly #help: string
  readonly #values = new Map<string, number>()

  /** A counter with labels has no value of its own. */
  constructor(name: string, help: string, labelled = false) {
    this.#name = name
    this.#help = help
    if (!labelled) this.#values.set('', 0)
  }

  add(value = 1, labels: Labels = {}): void {
    const key = labelText(labels)
    this.#values.set(key, (this.#values.get(key) ?? 0) + value)
  }

  render(): string {
    const lines = [...this.#values].map(([labels, value]) => `${this.#name}${labels} ${value}\n`)
    return head(this.#name, 'counter', this.#help) + lines.join('')
  }
}

class Histogram {
  readonly #name: string
  readonly #help: string
  readonly #bounds: readonly number[]
  readonly #counts: number[]
  #sum = 0
  #count = 0

  constructor(name: string, help: string, bounds: readonly number[]) {
    this.#name = name
    this.#help = help
    this.#bounds = bounds
    this.#counts = bounds.map(() => 0)
  }

  observe(value: number): void {
    this.#sum += value
    this.#count++
    const i = this.#bounds.findIndex((bound) => value <= bound)
    if (i >= 0) this.#counts[i] = (this.#counts[i] as number) + 1
  }

  render(): string {
    let below = 0
    const buckets = this.#bounds.map((bound, i) => {
      below += this.#counts[i] as number
      return `${this.#name}_bucket{le="${bound}"} ${below}\n`
    })
    const rest = `${this.#name}_bucket{le="+Inf"} ${this.#count}\n${this.#name}_sum ${this.#sum}\n${this.#name}_count ${this.#count}\n`
    return head(this.#name, 'histogram', this.#help) + buckets.join('') + rest
  }
}

const head = (name: string, type: string, help: string) =>
  `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n`

const seconds = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800]
const gaps = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]

export class Metrics {
  readonly requests: Counter = new Counter(
    'hadal_requests_total',
    'Requests by route and status.',
    true,
  )
  readonly cancelled: Counter = new Counter(
    'hadal_requests_cancelled_total',
    'Generations cut short, by reason.',
    true,
  )
  readonly prompt: Counter = new Counter('hadal_prompt_tokens_total', 'Prompt tokens.')
  readonly completion: Counter = new Counter('hadal_completion_tokens_total', 'Tokens generated.')
  readonly reasoning: Counter = new Counter('hadal_reasoning_tokens_total', 'Of these, thinking.')
  readonly cost: Counter = new Counter('hadal_cost_total', 'Cost by the price list.', true)
  readonly firstToken: Histogram = new Histogram(
    'hadal_time_to_first_token_seconds',
    'From arrival to the first token, thinking included.',
    seconds,
  )
  readonly gap: Histogram = new Histogram(
    'hadal_inter_token_seconds',
    'Between two pieces of an answer.',
    gaps,
  )
  readonly whole: Histogram = new Histogram(
    'hadal_request_seconds',
    'From arrival to the end of a generation.',
    seconds,
  )
  readonly #lag = monitorEventLoopDelay({ resolution: 10 })

  constructor() {
    this.#lag.enable()
  }

  stop(): void {
    this.#lag.disable()
  }

  render(model: ServedModel | undefined, active: number): string {
    const own = [
      ...[this.requests, this.cancelled, this.prompt, this.completion, this.reasoning],
      ...[this.cost, this.firstToken, this.gap, this.whole],
    ]
    return (
      own.map((metric) => metric.render()).join('') +
      gauge('hadal_choices_active', 'Choices queued or running.', active) +
      (model ? modelGauges(model) : '') +
      this.#process()
    )
  }

  #process(): string {
    // The monitor counts its own interval of 10 ms; what is above it is lag.
    const quantiles = [50, 90, 99].map((p) => {
      const lag = Math.max(0, this.#lag.percentile(p) / 1e9 - 0.01)
      return `hadal_event_loop_lag_seconds{quantile="${p / 100}"} ${lag}\n`
    })
    this.#lag.reset()
    return (
      head('hadal_event_loop_lag_seconds', 'gauge', 'Since the last scrape.') +
      quantiles.join('') +
      gauge('process_resident_memory_bytes', 'Resident memory.', process.memoryUsage.rss())
    )
  }
}

function gauge(name: string, help: string, value: number, type = 'gauge'): string {
  return `${head(name, type, help)}${name} ${value}\n`
}

function modelGauges({ stats }: ServedModel): string {
  const used = stats.blocksTotal - stats.blocksFree
  const total = (name: string, help: string, value: number) => gauge(name, help, value, 'counter')
  return (
    gauge('hadal_requests_running', 'Sequences in the batch.', stats.running) +
    gauge('hadal_requests_waiting', 'Sequences in the queue.', stats.waiting) +
    gauge('hadal_kv_blocks_used', 'KV blocks in use.', used) +
    gauge('hadal_kv_blocks_total', 'KV blocks there are.', stats.blocksTotal) +
    gauge('hadal_kv_usage_ratio', 'Share of KV in use.', used / Math.max(1, stats.blocksTotal)) +
    total('hadal_steps_total', 'Steps of the model.', stats.steps) +
    gauge('hadal_step_seconds', 'The last step.', stats.lastStepMs / 1000) +
    total('hadal_preemptions_total', 'Sequences that lost their KV.', stats.preemptions) +
    total(
      'hadal_tokens_prefilled_total',
      'Tokens read, recomputation included.',
      stats.tokensPrefilled,
    ) +
    total('hadal_tokens_generated_total', 'Tokens chosen by the model.', stats.tokensGenerated) +
    cacheGauges(stats.prefixCache)
  )
}

function cacheGauges(cache: PrefixCacheStats): string {
  const total = (name: string, help: string, value: number) =>
    gauge(`hadal_prefix_cache_${name}_total`, help, value, 'counter')
  return (
    total('query_tokens', 'Prompt tokens looked up in the prefix cache.', cache.queryTokens) +
    total('hit_tokens', 'Of these, tokens that were found.', cache.hitTokens) +
    total('evictions', 'Cached blocks given up to make room.', cache.evictions) +
    gauge('hadal_prefix_cache_blocks', 'Blocks in the prefix cache.', cache.blocks)
  )
}
