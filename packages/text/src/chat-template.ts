// Messages to prompt ids, through the template that the model's authors published.
//
// What users write must never become a control token. Inside their texts every name of a special token is
// broken by a mark (a Unicode noncharacter that occurs nowhere in the messages); the template passes it on
// like any other character; after rendering, only unbroken names are special, and the marks are taken out.
//
// A template is a program from a stranger. It runs interpreted, without access to the host, and is stopped
// after a second.
import { createContext, Script } from 'node:vm'
import { Template } from '@huggingface/jinja'
import { isObject, TextError } from './error.ts'
import { checkMessages } from './messages.ts'
import { escapePattern, type Tokenizer, type TokenizerFiles, tokenText } from './tokenizer.ts'
import { toolMarkers } from './tool-calls.ts'

export interface ToolCall {
  readonly id: string
  readonly name: string
  /** JSON text, as the model wrote it. */
  readonly arguments: string
}

export interface Message {
  readonly role: 'system' | 'user' | 'assistant' | 'tool'
  readonly content: string
  readonly toolCalls?: readonly ToolCall[]
  readonly toolCallId?: string
  readonly name?: string
}

export interface RenderOptions {
  readonly tools?: readonly unknown[]
  /** For templates that know the switch; others ignore it. */
  readonly thinking?: boolean
  /** End with the opening of the assistant's turn. Default true. */
  readonly addGenerationPrompt?: boolean
}

export interface RenderedPrompt {
  readonly ids: Int32Array
  readonly text: string
  /** The prompt ends inside an open <think>: the model's first word is already reasoning. */
  readonly opensReasoning: boolean
}

export interface ChatTemplate {
  /** The template reads the `thinking` switch. */
  readonly knowsThinking: boolean
  /** How the template writes tool calls: with a fence (V3, R1) or bare (V3.1); undefined when it has none. */
  readonly toolFormat?: 'v3' | 'v3.1' | undefined
  render(messages: readonly Message[], options?: RenderOptions): RenderedPrompt
}

const maxSource = 1 << 20
const maxOutput = 64 << 20
const timeLimitMs = 1000
// 32 noncharacters that Unicode keeps free for use inside programs.
const marks = Array.from({ length: 32 }, (_, i) => String.fromCharCode(0xfdd0 + i))

function templateSource(files: TokenizerFiles): string {
  const config = files.tokenizerConfig
  const own = isObject(config) ? config.chat_template : undefined
  // Some models publish several under names; the default one is for chat.
  const named = Array.isArray(own)
    ? own.find((t) => isObject(t) && t.name === 'default')
    : undefined
  const source = files.chatTemplate ?? (isObject(named) ? named.template : own)
  if (typeof source !== 'string')
    throw new TextError(
      'chat template: expected one in chat_template.jinja or tokenizer_config.json, got none; this model continues text but does not chat',
    )
  if (source.length > maxSource)
    throw new TextError(
      `chat template: expected at most ${maxSource} characters, got ${source.length}`,
    )
  return source
}

/** Runs `work`, which may loop for ever, for a second at most. */
function limited<R>(work: () => R): R {
  const context = createContext({ work })
  try {
    return new Script('work()').runInContext(context, { timeout: timeLimitMs }) as R
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException
    if (code === 'ERR_SCRIPT_EXECUTION_TIMEOUT')
      throw new TextError(`chat template: expected an end within ${timeLimitMs} ms, got none`, {
        cause,
      })
    throw new TextError(`chat template: ${String(message).slice(0, 300)}`, { cause })
  }
}

function toolCallFields(call: ToolCall): unknown {
  return { id: call.id, type: 'function', function: { name: call.name, arguments: call.arguments } }
}

export function createChatTemplate(files: TokenizerFiles, tokenizer: Tokenizer): ChatTemplate {
  const source = templateSource(files)
  const template = limited(() => new Template(source))
  const names = [...tokenizer.added.keys()].sort((a, b) => b.length - a.length)
  const thinkTags = ['<think>', '</think>']

  const fields = (message: Message, mark: string) => {
    // The assistant's own tags are the template's to strip; everybody else's are plain text.
    const kept = message.role === 'assistant' ? thinkTags : []
    return {
      role: message.role,
      content: breakNames(message.content, names, kept, mark),
      ...(message.name !== undefined && { name: breakNames(message.name, names, [], mark) }),
      ...(message.toolCallId !== undefined && { tool_call_id: message.toolCallId }),
      ...(message.toolCalls && {
        tool_calls: message.toolCalls.map((call) =>
          toolCallFields({ ...call, arguments: breakNames(call.arguments, names, [], mark) }),
        ),
      }),
    }
  }

  return {
    knowsThinking: /\bthinking\b/.test(source),
    toolFormat: !source.includes(toolMarkers.separator)
      ? undefined
      : source.includes('```json')
        ? 'v3'
        : 'v3.1',
    render(messages, options = {}) {
      checkMessages(messages)
      const mark = marks.find((c) => !messages.some((m) => JSON.stringify(m).includes(c)))
      if (mark === undefined)
        throw new TextError('messages: expected text, got every Unicode noncharacter')
      const values = {
        messages: messages.map((message) => fields(message, mark)),
        bos_token: tokenText(files.tokenizerConfig, 'bos_token') ?? '',
        eos_token: tokenText(files.tokenizerConfig, 'eos_token') ?? '',
        add_generation_prompt: options.addGenerationPrompt ?? true,
        ...(options.tools && { tools: options.tools }),
        ...(options.thinking !== undefined && {
          thinking: options.thinking,
          enable_thinking: options.thinking,
        }),
      }
      const rendered = limited(() => template.render(values))
      if (rendered.length > maxOutput)
        throw new TextError(
          `chat template: expected at most ${maxOutput} characters, got ${rendered.length}`,
        )
      return encodeRendered(rendered, mark, tokenizer)
    },
  }
}

/** Puts the mark after the first character of every special name, so that none stays whole. */
export function breakNames(
  text: string,
  names: readonly string[],
  kept: readonly string[],
  mark: string,
): string {
  let out = text
  for (const name of names) {
    if (kept.includes(name) || !out.includes(name)) continue
    const first = String.fromCodePoint(name.codePointAt(0) as number)
    // A name of one character cannot be broken inside; a mark in front keeps it from matching.
    out = out.replaceAll(
      name,
      name.length > first.length ? first + mark + name.slice(first.length) : mark + name,
    )
  }
  return out
}

function encodeRendered(rendered: string, mark: string, tokenizer: Tokenizer): RenderedPrompt {
  const ids: number[] = []
  const names = [...tokenizer.added.keys()].sort((a, b) => b.length - a.length)
  const pattern = names.map(escapePattern).join('|')
  for (const part of names.length > 0
    ? rendered.split(new RegExp(`(${pattern})`, 'u'))
    : [rendered]) {
    const id = tokenizer.added.get(part)
    if (id !== undefined) ids.push(id)
    else for (const plain of tokenizer.encode(part.replaceAll(mark, ''))) ids.push(plain)
  }
  const open = rendered.lastIndexOf('<think>')
  return {
    ids: Int32Array.from(ids),
    text: rendered.replaceAll(mark, ''),
    opensReasoning:
      open >= 0 &&
      open > rendered.lastIndexOf('</think>') &&
      rendered.slice(open + 7).trim() === '',
  }
}
