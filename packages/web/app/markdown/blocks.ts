// Markdown in blocks, so that a growing answer re-parses and re-draws only its last one. CommonMark is decided
// line by line: once a complete line has begun a new top-level block, no later text can change the ones before.
import type { Definition, Root, RootContent } from 'mdast'
import { fromMarkdown } from 'mdast-util-from-markdown'
import { gfmFromMarkdown } from 'mdast-util-gfm'
import { gfm } from 'micromark-extension-gfm'
import { encodeMath } from './math.ts'
import { product } from './product.ts'

export interface Block {
  /** Its Markdown, formulas encoded; two blocks of the same source draw the same. */
  source: string
  node: RootContent
}

/** Identifier → address. A map: `__proto__` is a possible identifier. */
export type Definitions = ReadonlyMap<string, string>

export interface Document {
  blocks: readonly Block[]
  definitions: Definitions
}

function parse(text: string): Root {
  return fromMarkdown(text, { extensions: [gfm(), product], mdastExtensions: [gfmFromMarkdown()] })
}

const startOf = (node: RootContent): number => node.position?.start.offset ?? 0
const endOf = (node: RootContent): number => node.position?.end.offset ?? 0

function addDefinitions(known: Definitions, nodes: readonly RootContent[]): Definitions {
  const found = nodes.filter((node): node is Definition => node.type === 'definition')
  if (found.length === 0) return known
  const all = new Map(known)
  // The first one of a name counts.
  for (const { identifier, url } of found) if (!all.has(identifier)) all.set(identifier, url)
  return all
}

const same = (a: Definitions, b: Definitions) =>
  a.size === b.size && [...a].every(([name, url]) => b.get(name) === url)

export interface BlockParser {
  update(source: string, streaming: boolean): Document
}

export function createBlockParser(): BlockParser {
  /** Text whose blocks can change no more, and those blocks. */
  let settledText = ''
  let settled: Block[] = []
  let definitions: Definitions = new Map()
  let last: { source: string; streaming: boolean; document: Document } | undefined

  function reset() {
    settledText = ''
    settled = []
  }

  function parseTail(text: string): Block[] {
    const tail = text.slice(settledText.length)
    const nodes = parse(tail).children
    definitions = addDefinitions(definitions, nodes)
    return nodes.map((node) => ({ source: tail.slice(startOf(node), endOf(node)), node }))
  }

  /** Settles every block before the last one that a complete line has reached. */
  function settle(text: string, blocks: readonly Block[]) {
    const base = settledText.length
    const lastLine = text.lastIndexOf('\n') + 1 - base
    let open = blocks.length - 1
    while (open > 0 && startOf(blocks[open]!.node) >= lastLine) open--
    if (open <= 0) return
    settled = [...settled, ...blocks.slice(0, open)]
    settledText = text.slice(0, base + startOf(blocks[open]!.node))
  }

  return {
    update(source, streaming) {
      if (last?.source === source && last.streaming === streaming) return last.document
      const text = encodeMath(source, streaming)
      const before = definitions
      // The finished text is parsed once as a whole: references may point forward.
      if (!streaming || !text.startsWith(settledText)) reset()
      if (!streaming) definitions = new Map()
      const tail = parseTail(text)
      const blocks = [...settled, ...tail]
      if (streaming) settle(text, tail)
      if (same(before, definitions)) definitions = before
      const document = { blocks, definitions }
      last = { source, streaming, document }
      return document
    },
  }
}
