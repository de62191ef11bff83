// Messages to prompt ids, through the template that the model's authors published.
//
// What users write must never become a control token. Inside their texts every name of a special token is
// broken by a mark (a Unicode noncharacter that occurs nowhere in the messages); the template passes it on
// like any other character; after rendering, only unbroken names are special, and the marks are taken out.
import type { Template } from '@huggingface/jinja'
import { isObject, TextError } from './error.ts'
import { checkMessages } from './messages.ts'
import { parseTemplate, runTemplate } from './run-template.ts'
import { escapePattern, type Tokenizer, type TokenizerFiles, tokenText } from './tokenizer.ts'
import { toolMarkers } from './tool-calls.ts'
import { mapStrings, toolPrompt } from './tool-prompt.ts'

export interface ToolCall {
  readonly id: string
  readonly name: string
  /** JSON text, as the model wrote it. */
  readonly arguments: string
}

export interface Message {
  readonly role: 'system' | 'user' | 'assistant' | 'tool'
  readonly content: string
  /**
   * What the assistant thought before this. Templates that read `reasoning_content` get it for the turns after the
   * last user message, which is where a tool loop needs it; earlier thinking is dropped, as DeepSeek does.
   */
  readonly reasoning?: string
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
  /**
   * The last message, an assistant's, is the beginning of the answer: with `content` the answer goes on after it,
   * with `reasoning` alone the thinking does.
   */
  readonly prefix?: boolean
}

export interface RenderedPrompt {
  readonly ids: Int32Array
  readonly text: string
  /** The prompt ends inside an open <think>: the model's first word is already reasoning. */
  readonly opensReasoning: boolean
  /** The prompt ends inside a text that goes on: line ends at the beginning are part of it. */
  readonly continues?: boolean
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
// 32 noncharacters that Unicode keeps free for use inside programs.
const thinkTags: readonly string[] = ['<think>', '</think>']
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

function toolCallFields(call: ToolCall): unknown {
  return { id: call.id, type: 'function', function: { name: call.name, arguments: call.arguments } }
}

interface Source {
  readonly files: TokenizerFiles
  readonly text: string
  readonly template: Template
  readonly names: readonly string[]
}

export function createChatTemplate(files: TokenizerFiles, tokenizer: Tokenizer): ChatTemplate {
  const text = templateSource(files)
  const template = parseTemplate(text)
  const names = [...tokenizer.added.keys()].sort((a, b) => b.length - a.length)
  const source: Source = { files, text, template, names }
  const render = (messages: readonly Message[], options: RenderOptions): RenderedPrompt => {
    const mark = unusedMark(messages, options)
    const rendered = renderText(source, messages, options, mark)
    return encodeRendered(rendered, mark, tokenizer)
  }
  return {
    knowsThinking: /\bthinking\b/.test(text),
    toolFormat: !text.includes(toolMarkers.separator)
      ? undefined
      : text.includes('```json')
        ? 'v3'
        : 'v3.1',
    render(messages, options = {}) {
      checkMessages(messages)
      if (!options.prefix) return render(messages, options)
      const last = messages.at(-1)
      if (last?.role !== 'assistant')
        throw new TextError(
          `messages: expected an assistant's message last to go on from, got ${last?.role ?? 'none'}`,
        )
      const { prefix: _, thinking: asked, ...rest } = options
      const begun = last.content === '' ? asked : false
      const thinking = last.reasoning !== undefined ? true : begun
      const open = { ...rest, ...(thinking !== undefined && { thinking }) }
      return continueTurn(render(messages.slice(0, -1), open), last, tokenizer)
    },
  }
}

function unusedMark(messages: readonly Message[], { tools = [] }: RenderOptions): string {
  const texts = [...messages, ...tools].map((value) => JSON.stringify(value))
  const mark = marks.find((c) => !texts.some((text) => text.includes(c)))
  if (mark === undefined)
    throw new TextError('messages: expected text, got every Unicode noncharacter')
  return mark
}

function renderText(
  source: Source,
  messages: readonly Message[],
  options: RenderOptions,
  mark: string,
): string {
  const { files, names } = source
  const plain = (text: string) => breakNames(text, names, [], mark)
  const lastUser = messages.findLastIndex(({ role }) => role === 'user')
  const tools = options.tools?.length ? options.tools : undefined
  const listsTools = /\btools\b/.test(source.text)
  const run = (callsOnly: boolean) => {
    const list = messages.map((m, i) => fields(m, names, mark, i > lastUser, callsOnly))
    if (tools && !listsTools) describeTools(list, tools, source, plain)
    const values = {
      messages: list,
      bos_token: tokenText(files.tokenizerConfig, 'bos_token') ?? '',
      eos_token: tokenText(files.tokenizerConfig, 'eos_token') ?? '',
      add_generation_prompt: options.addGenerationPrompt ?? true,
      ...(tools && listsTools && { tools: tools.map((tool) => mapStrings(tool, plain)) }),
      ...(options.thinking !== undefined && {
        thinking: options.thinking,
        enable_thinking: options.thinking,
      }),
    }
    const rendered = runTemplate(source.template, values)
    if (rendered.length <= maxOutput) return rendered
    throw new TextError(
      `chat template: expected at most ${maxOutput} characters, got ${rendered.length}`,
    )
  }
  const rendered = run(false)
  // V3's first template drops the calls of a message that also has text; the calls matter more.
  const calls = messages.flatMap((m) => m.toolCalls ?? [])
  return calls.every(({ name }) => rendered.includes(plain(name))) ? rendered : run(true)
}

type Fields = Record<string, unknown> & { content: string | null }

function fields(
  message: Message,
  names: readonly string[],
  mark: string,
  inLoop: boolean,
  callsOnly: boolean,
): Fields {
  // The assistant's own tags are the template's to strip; everybody else's are plain text.
  const kept = message.role === 'assistant' ? thinkTags : []
  const plain = (text: string) => breakNames(text, names, [], mark)
  const { content, reasoning, toolCalls = [] } = message
  const calls = toolCalls.map((call) => ({
    ...call,
    name: plain(call.name),
    arguments: plain(call.arguments),
  }))
  const none = calls.length > 0 && (content === '' || callsOnly)
  return {
    role: message.role,
    content: none ? null : breakNames(content, names, kept, mark),
    ...(reasoning !== undefined && inLoop && { reasoning_content: plain(reasoning) }),
    ...(message.name !== undefined && { name: plain(message.name) }),
    ...(message.toolCallId !== undefined && { tool_call_id: message.toolCallId }),
    ...(calls.length > 0 && { tool_calls: calls.map(toolCallFields) }),
  }
}

/** Puts the list of tools at the end of the system's words. */
function describeTools(
  list: Fields[],
  tools: readonly unknown[],
  source: Source,
  plain: (text: string) => string,
): void {
  if (!source.text.includes(toolMarkers.callsBegin))
    throw new TextError('tools: expected a model whose chat template knows tool calls, got another')
  const words = toolPrompt(tools, source.text.includes('```'), plain)
  const system = list.findLast(({ role }) => role === 'system')
  if (system) system.content = `${system.content ?? ''}\n\n${words}`
  else list.unshift({ role: 'system', content: words })
}

/** The prompt of an open turn, then what the assistant has said so far, as text without control tokens. */
function continueTurn(open: RenderedPrompt, last: Message, tokenizer: Tokenizer): RenderedPrompt {
  const { content, reasoning } = last
  if (content === '' && reasoning === undefined) return open
  const ids = [...open.ids]
  let text = open.text
  const add = (more: string, special = false) => {
    for (const id of tokenizer.encode(more, { special })) ids.push(id)
    text += more
  }
  const [begin, close] = thinkTags as [string, string]
  if (reasoning !== undefined) {
    if (!open.opensReasoning) {
      add(begin, true)
      add('\n')
    }
    add(reasoning)
  }
  const thinking = reasoning !== undefined || open.opensReasoning
  if (content !== '') {
    if (thinking) {
      add('\n')
      add(close, true)
      add('\n\n')
    }
    add(content)
  }
  return { ids: Int32Array.from(ids), text, opensReasoning: content === '', continues: true }
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
