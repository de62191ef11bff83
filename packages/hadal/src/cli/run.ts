// `hadal run "prompt"`: one answer. Thinking is dimmed on a terminal and goes to stderr when stdout is a pipe.
import { text } from 'node:stream/consumers'
import type { Message } from '@hadal/text'
import { type CommandDef, defineCommand } from 'citty'
import { speedLine, streamAnswer } from './answer.ts'
import { loadFromFlags, modelArgs, samplingArgs, samplingOptions } from './model-options.ts'
import { dim, exitCodes, UsageError } from './terminal.ts'

export const runCommand = defineCommand({
  meta: { name: 'run', description: 'Answer one prompt, from the argument or from stdin' },
  args: {
    prompt: {
      type: 'positional',
      required: false,
      description: 'the question, quoted or as many words; stdin is appended or used instead',
    },
    model: {
      type: 'string',
      alias: 'm',
      description: 'checkpoint folder (HADAL_MODEL); default: the embedded model',
    },
    system: { type: 'string', description: 'system message' },
    think: {
      type: 'boolean',
      default: true,
      negativeDescription: 'answer without thinking, where the model can',
    },
    json: {
      type: 'boolean',
      description: 'one JSON object with text, reasoning, counts and times',
    },
    verbose: { type: 'boolean', description: 'speed on stderr' },
    ...modelArgs,
    ...samplingArgs,
  },
  async run({ args }) {
    const piped = process.stdin.isTTY ? '' : (await text(process.stdin)).trim()
    const prompt = [args._.join(' '), piped].filter((part) => part !== '').join('\n\n')
    if (prompt === '')
      throw new UsageError('run: expected a prompt as argument or on stdin, got none')
    const llm = await loadFromFlags(args.model, args)
    const stop = new AbortController()
    process.once('SIGINT', () => stop.abort())
    try {
      const messages: Message[] = [
        ...(args.system ? [{ role: 'system', content: args.system } as const] : []),
        { role: 'user', content: prompt },
      ]
      const options = { ...samplingOptions(args), thinking: args.think, signal: stop.signal }
      const toPipe = !process.stdout.isTTY
      const silent = { write: () => true } as unknown as NodeJS.WriteStream
      const finish = await streamAnswer(llm, messages, options, {
        reasoning: args.json ? undefined : toPipe ? process.stderr : process.stdout,
        answer: args.json ? silent : process.stdout,
      })
      if (args.json)
        process.stdout.write(`${JSON.stringify({ ...finish, model: llm.info.path }, null, 2)}\n`)
      if (args.verbose) process.stderr.write(`${dim(speedLine(finish), process.stderr)}\n`)
      if (finish.reason === 'cancelled') process.exitCode = exitCodes.interrupted
    } finally {
      await llm.dispose()
    }
  },
}) as unknown as CommandDef
