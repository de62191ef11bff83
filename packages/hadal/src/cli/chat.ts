// `hadal chat [folder]`: a conversation in the terminal. Ctrl+C stops the answer first, at the prompt it leaves.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import path from 'node:path'
import { createInterface, type Interface } from 'node:readline'
import { resolveSampling } from '@hadal/engine'
import type { Message } from '@hadal/text'
import { type CommandDef, defineCommand } from 'citty'
import type { ChatOptions, Llm } from '../types.ts'
import { speedLine, streamAnswer } from './answer.ts'
import { loadFromFlags, modelArgs, samplingArgs, samplingOptions } from './model-options.ts'
import { bold, bytes, count, dim, reportError } from './terminal.ts'

interface Conversation {
  readonly llm: Llm
  readonly embedded: boolean
  readonly system: readonly Message[]
  /** Those of `system` first. */
  messages: Message[]
  thinking: boolean
  options: Record<string, number>
}

const settings = [
  'temperature',
  'topP',
  'topK',
  'minP',
  'repetitionPenalty',
  'seed',
  'maxTokens',
  'maxReasoningTokens',
]

const help = `/think, /nothink     let the model think, or answer at once
/clear               forget the conversation
/set <name> <value>  ${settings.join(', ')}; "default" unsets, /set alone shows
/stats               what the engine is doing
/bye                 leave
"""                  begin and end a text of several lines
Ctrl+C               stop the answer; at the prompt: clear the line, and leave when it is empty`

function welcome(llm: Llm, embedded: boolean): string {
  const { info } = llm
  if (!embedded)
    return `${bold(path.basename(path.resolve(info.path)))}  ${count(info.parameters)} parameters, ${count(info.activeParameters)} active · ${bytes(info.bytes)} · context ${info.contextLength} · KV up to ${bytes(info.kvBudgetBytes)} · ${info.device}${info.threads > 0 ? `, ${info.threads} threads` : ''}\n${dim('/help lists the commands')}`
  return `${bold('Hadal')}  the embedded model: ${count(info.parameters + info.mtpParameters)} parameters, the architecture of DeepSeek-V3, trained for this project.
It thinks aloud and then answers. It can ${bold('add, subtract, multiply, count letters, compare two numbers,')}
${bold('sort a few numbers, and reach a target from given numbers')}. It cannot chat about the world; asked
anything else, it says so.

  How many r are in strawberry?     What is 47 * 36?            Which is larger, 9.11 or 9.9?
  Sort 42, 7, 93, 15.               What is 348 + 987?          Make 33 from 6 6 3.

${dim('A large model: give its folder, e.g. hadal chat path/to/DeepSeek-R1 (here: npm run chat -- path/to/DeepSeek-R1);')}
${dim(`hadal inspect says first whether it fits. KV cache up to ${bytes(info.kvBudgetBytes)}. /help lists the commands.`)}`
}

const historyFile = (): string | undefined =>
  process.env.HADAL_HISTORY === '0'
    ? undefined
    : path.join(
        process.env.XDG_STATE_HOME ?? path.join(homedir(), '.local', 'state'),
        'hadal',
        'history',
      )

function readHistory(): string[] {
  try {
    const file = historyFile()
    return file ? readFileSync(file, 'utf8').split('\n').filter(Boolean).slice(0, 500) : []
  } catch {
    return [] // no history yet
  }
}

function saveHistory(lines: readonly string[]): void {
  const file = historyFile()
  if (!file) return
  try {
    mkdirSync(path.dirname(file), { recursive: true })
    writeFileSync(file, `${lines.join('\n')}\n`, { mode: 0o600 })
  } catch (error) {
    process.stderr.write(dim(`history not saved: ${(error as Error).message}\n`, process.stderr))
  }
}

function statsText({ stats, info }: Llm): string {
  const used = stats.blocksTotal - stats.blocksFree
  const ms = (value: number) => `${value.toFixed(value < 10 ? 2 : 0)} ms`
  return `${stats.tokensGenerated} tokens generated, ${stats.tokensPrefilled} read
${stats.steps} steps, the last in ${ms(stats.lastStepMs)}, on average ${ms(stats.meanStepMs)}
KV cache: ${used} of ${stats.blocksTotal} blocks of 64 tokens in use, up to ${bytes(info.kvBudgetBytes)}
prefix cache: ${stats.prefixCache.hitTokens} of ${stats.prefixCache.queryTokens} prompt tokens found, ${stats.prefixCache.blocks} blocks kept
${stats.running} requests running, ${stats.waiting} waiting, ${stats.preemptions} preempted so far`
}

/** `/set` alone shows what is set; a value that no answer could be made with is refused here. */
function set(c: Conversation, [name = '', value = '']: readonly string[]): string {
  const shown = () =>
    Object.entries(c.options)
      .map(([key, n]) => `${key} = ${n}`)
      .join('\n')
  if (name === '') return shown() || `nothing set; the names are ${settings.join(', ')}`
  if (!settings.includes(name) || value === '')
    return `usage: /set <${settings.join('|')}> <number or default>`
  const { [name]: _, ...others } = c.options
  if (value === 'default') {
    c.options = others
    return `${name} is the model’s default`
  }
  const number = Number(value)
  try {
    // The thinking's budget has the rule of maxTokens, except that it may be 0.
    const asTokens = name === 'maxReasoningTokens'
    const checked = asTokens ? { maxTokens: number === 0 ? 1 : number } : { [name]: number }
    resolveSampling(checked, {}, c.llm.info.vocabularySize)
  } catch (error) {
    return `${name}: ${(error as Error).message.replace(/^option \w+: /, '').replace(/got NaN$/, `got "${value}"`)}`
  }
  c.options = { ...others, [name]: number }
  return `${name} = ${number}`
}

/** A /command; false ends the conversation. */
function command(line: string, c: Conversation): boolean {
  const [name, ...rest] = line.slice(1).trim().split(/\s+/)
  const say = (text: string) => process.stdout.write(`${dim(text)}\n`)
  switch (name) {
    case 'bye':
    case 'exit':
    case 'quit':
      return false
    case 'help':
      say(help)
      break
    case 'think':
    case 'nothink':
      c.thinking = name === 'think'
      say(
        c.llm.info.thinkingSwitch
          ? `thinking is ${c.thinking ? 'on' : 'off'}`
          : 'this model’s template has no switch for thinking',
      )
      break
    case 'clear':
      c.messages = [...c.system]
      say('forgotten')
      break
    case 'stats':
      say(statsText(c.llm))
      break
    case 'set':
      say(set(c, rest))
      break
    default:
      say(`unknown command /${name}; /help lists them`)
  }
  return true
}

/** Drops the oldest turns until the prompt leaves room to answer, and says so. */
function makeRoom(c: Conversation): void {
  const length = () =>
    c.messages.reduce((n, m) => n + c.llm.tokenizer.encode(m.content).length + 8, 0)
  const room = Math.floor(c.llm.info.contextLength * 0.75)
  let dropped = 0
  while (c.messages.length > c.system.length + 1 && length() > room) {
    c.messages.splice(c.system.length, 2)
    dropped++
  }
  if (dropped > 0)
    process.stdout.write(
      `${dim(`(the context of ${c.llm.info.contextLength} tokens is full: the oldest ${dropped} turns were dropped)`)}\n`,
    )
}

async function turn(c: Conversation, text: string, stop: AbortController): Promise<void> {
  // The embedded model learned single questions; earlier turns only confuse it.
  if (c.embedded) c.messages = [...c.system]
  c.messages.push({ role: 'user', content: text })
  makeRoom(c)
  const options: ChatOptions = { ...c.options, thinking: c.thinking, signal: stop.signal }
  const finish = await streamAnswer(c.llm, c.messages, options, {
    reasoning: process.stdout,
    answer: process.stdout,
  })
  process.stdout.write(`${dim(speedLine(finish))}\n\n`)
  c.messages.push({ role: 'assistant', content: finish.text })
}

/** Lines from the terminal or a pipe; """ joins several into one. */
async function* inputs(rl: Interface): AsyncGenerator<string> {
  let block: string[] | undefined
  for await (const line of rl) {
    if (block) {
      const end = line.indexOf('"""')
      block.push(end >= 0 ? line.slice(0, end) : line)
      if (end < 0) {
        rl.prompt()
        continue
      }
      rl.setPrompt(rl.getPrompt() && '> ')
      yield block.join('\n')
      block = undefined
    } else if (line.startsWith('"""') && !line.slice(3).includes('"""')) {
      block = [line.slice(3)]
      rl.setPrompt(rl.getPrompt() && '… ')
      rl.prompt()
    } else yield line.replace(/^"""(.*)"""$/, '$1')
  }
}

async function converse(c: Conversation): Promise<void> {
  const terminal = process.stdin.isTTY === true
  const rl = createInterface({
    input: process.stdin,
    output: process.stdout,
    terminal,
    prompt: terminal ? '> ' : '',
    history: readHistory(),
    historySize: 500,
  })
  let stop: AbortController | undefined
  let lines: string[] = []
  const interrupt = () => {
    if (stop) stop.abort()
    else if (rl.line === '') rl.close()
    else {
      rl.write(null, { ctrl: true, name: 'e' })
      rl.write(null, { ctrl: true, name: 'u' })
    }
  }
  rl.on('SIGINT', interrupt)
  rl.on('history', (history: string[]) => {
    lines = history
  })
  process.on('SIGINT', interrupt)
  rl.prompt()
  try {
    for await (const input of inputs(rl)) {
      const text = input.trim()
      if (text.startsWith('/')) {
        if (!command(text, c)) break
      } else if (text !== '') {
        stop = new AbortController()
        await turn(c, text, stop).catch((error) => {
          c.messages.pop()
          reportError(error)
        })
        stop = undefined
      }
      rl.prompt()
    }
  } finally {
    process.off('SIGINT', interrupt)
    rl.close()
    if (terminal) process.stdout.write('\n')
    if (lines.length > 0) saveHistory(lines)
  }
}

export const chatCommand = defineCommand({
  meta: { name: 'chat', description: 'Talk with a model and watch it think' },
  args: {
    folder: {
      type: 'positional',
      required: false,
      description: 'checkpoint folder (HADAL_MODEL); default: the embedded model',
    },
    think: {
      type: 'boolean',
      default: true,
      negativeDescription: 'answer without thinking, where the model can',
    },
    system: { type: 'string', description: 'system message' },
    ...modelArgs,
    ...samplingArgs,
  },
  async run({ args }) {
    const embedded = args.folder === undefined && !process.env.HADAL_MODEL
    const llm = await loadFromFlags(args.folder, args)
    try {
      process.stdout.write(`${welcome(llm, embedded)}\n\n`)
      const system: Message[] = args.system ? [{ role: 'system', content: args.system }] : []
      await converse({
        llm,
        embedded,
        system,
        messages: [...system],
        thinking: args.think,
        options: samplingOptions(args),
      })
    } finally {
      await llm.dispose()
    }
  },
}) as unknown as CommandDef
