// Formulas, found before Markdown sees the text. Markdown eats the backslashes of \( and \[, and takes _ and *
// inside a formula for emphasis; so each formula becomes one word of private-use characters that Markdown
// passes through untouched, and `splitMath` turns it back when the text nodes are drawn.

/** Plane 15 holds one character for each UTF-16 unit of a formula. */
const plane = 0xf0000
const open = { inline: '\u{100000}', display: '\u{100001}' }
const close = '\u{100002}'
const privateUse = /[\u{f0000}-\u{10ffff}]/gu
const encoded = /([\u{100000}\u{100001}])([\u{f0000}-\u{fffff}]*)\u{100002}/gu

export interface Formula {
  tex: string
  display: boolean
}

function encode({ tex, display }: Formula): string {
  let units = ''
  for (let i = 0; i < tex.length; i++) units += String.fromCodePoint(plane + tex.charCodeAt(i))
  return (display ? open.display : open.inline) + units + close
}

function decode(units: string): string {
  let tex = ''
  for (const char of units) tex += String.fromCharCode((char.codePointAt(0) ?? plane) - plane)
  return tex
}

/** Text with formulas in it, as text and formulas in turn. */
export function splitMath(text: string): (string | Formula)[] {
  const parts: (string | Formula)[] = []
  let at = 0
  for (const match of text.matchAll(encoded)) {
    if (match.index > at) parts.push(text.slice(at, match.index))
    parts.push({ tex: decode(match[2] ?? ''), display: match[1] === open.display })
    at = match.index + match[0].length
  }
  if (at < text.length) parts.push(text.slice(at))
  return parts
}

/** The source again, for places where a formula is not drawn: addresses, titles, code. */
export function plainMath(text: string): string {
  return splitMath(text)
    .map((part) =>
      typeof part === 'string' ? part : part.display ? `$$${part.tex}$$` : `$${part.tex}$`,
    )
    .join('')
}

/** Longest code span or formula in a line of text that is looked for; keeps hostile text linear. */
const inlineLimit = 4000
const displayLimit = 20_000

function match(pattern: RegExp, text: string, at: number): RegExpExecArray | null {
  pattern.lastIndex = at
  return pattern.exec(text)
}

const fenceHere = /(`{3,}|~{3,})([^\n]*)/y
const ticksHere = /`+/y

function endOfFence(text: string, at: number): number {
  const lineStart = text.lastIndexOf('\n', at - 1) + 1
  // A fence may stand in a list item or a quote.
  if (at - lineStart > 40) return -1
  if (!/^[ \t>]*(?:(?:[-*+]|\d{1,9}[.)])[ \t]+)*$/.test(text.slice(lineStart, at))) return -1
  const opening = match(fenceHere, text, at)
  if (!opening) return -1
  const [line, fence = '', info = ''] = opening
  if (fence[0] === '`' && info.includes('`')) return -1
  const closing = new RegExp(`^[ \\t>]*${fence[0]}{${fence.length},}[ \\t]*$`, 'gm')
  const found = match(closing, text, at + line.length + 1)
  // An unclosed one runs to the end.
  return found ? found.index + found[0].length : text.length
}

/** Where a run of code ends that begins at `at`, or -1: no code begins there. */
function endOfCode(text: string, at: number): number {
  const fence = endOfFence(text, at)
  if (fence > 0) return fence
  const length = match(ticksHere, text, at)?.[0].length
  if (!length) return -1
  const limit = endOfParagraph(text, at)
  for (let i = at + length; i < limit; ) {
    const next = text.indexOf('`', i)
    if (next < 0 || next >= limit) break
    const run = match(ticksHere, text, next)?.[0].length ?? 1
    if (run === length) return next + run
    i = next + run
  }
  return at + length
}

function endOfParagraph(text: string, at: number): number {
  const blank = /\n[ \t>]*\n/.exec(text.slice(at, at + inlineLimit))
  return blank ? at + blank.index : Math.min(text.length, at + inlineLimit)
}

/** Inside a quote every line of a formula carries the quote's mark. */
function withoutQuoteMarks(text: string, at: number, tex: string): string {
  const lineStart = text.lastIndexOf('\n', at - 1) + 1
  const quoted = /^[ \t]*>/.test(text.slice(lineStart, at))
  return quoted ? tex.replace(/\n[ \t]*(?:>[ \t]?)+/g, '\n') : tex
}

interface Found extends Formula {
  end: number
}

/** Where `closer` stands, not counting what a backslash escapes (`\\\\]` ends a row of a matrix), or -1. */
function findCloser(text: string, closer: string, from: number, limit: number): number {
  if (text.indexOf(closer, from) < 0) return -1
  for (let at = from; at < limit; at++) {
    if (text.startsWith(closer, at)) return at
    if (text[at] === '\\') at++
  }
  return -1
}

function bracketed(text: string, at: number, streaming: boolean): Found | undefined {
  const display = text[at + 1] === '['
  const limit = display ? Math.min(text.length, at + displayLimit) : endOfParagraph(text, at)
  const end = findCloser(text, display ? '\\]' : '\\)', at + 2, limit)
  if (end >= 0) return { tex: text.slice(at + 2, end), display, end: end + 2 }
  const open = streaming && limit === text.length
  return open ? { tex: text.slice(at + 2), display, end: text.length } : undefined
}

function doubleDollar(text: string, at: number, streaming: boolean): Found | undefined {
  const limit = Math.min(text.length, at + displayLimit)
  const end = findCloser(text, '$$', at + 2, limit)
  if (end >= 0) return { tex: text.slice(at + 2, end), display: true, end: end + 2 }
  if (!streaming || limit < text.length) return undefined
  return { tex: text.slice(at + 2).replace(/\$$/, ''), display: true, end: text.length }
}

/**
 * One dollar, by Pandoc's rule, so that prices stay prices: no space after the opening one, none before the
 * closing one, no digit after it, and all within a paragraph.
 */
function singleDollar(text: string, at: number, streaming: boolean): Found | undefined {
  if (/[\s$]/.test(text[at + 1] ?? ' ')) return undefined
  const limit = endOfParagraph(text, at)
  for (let end = at + 1; end < limit; end++) {
    const char = text[end]
    if (char === '\\') end++
    else if (char === '`') return undefined
    else if (char === '$' && !/\s/.test(text[end - 1] ?? ' ') && !/\d/.test(text[end + 1] ?? ''))
      return { tex: text.slice(at + 1, end), display: false, end: end + 1 }
  }
  // Still being written: only what can hardly be anything else is drawn before it is closed.
  const tex = text.slice(at + 1, limit)
  const surely = streaming && limit === text.length && /^[^\s$]*(?:\\[a-zA-Z]|[\^_]\{)/.test(tex)
  return surely ? { tex, display: false, end: limit } : undefined
}

function formulaAt(text: string, at: number, streaming: boolean): Found | undefined {
  const char = text[at]
  const next = text[at + 1]
  if (char === '\\' && (next === '(' || next === '[')) return bracketed(text, at, streaming)
  if (char !== '$') return undefined
  return next === '$' ? doubleDollar(text, at, streaming) : singleDollar(text, at, streaming)
}

const interesting = /[`~\\$]/g

/** Encodes every formula outside code. While `streaming`, one that is still open counts to the end. */
export function encodeMath(source: string, streaming: boolean = false): string {
  const text = source.replace(privateUse, '\ufffd')
  let result = ''
  let copied = 0
  for (let at = 0; at < text.length; ) {
    const next = match(interesting, text, at)
    if (!next) break
    at = next.index
    const codeEnd = text[at] === '`' || text[at] === '~' ? endOfCode(text, at) : -1
    if (codeEnd > 0) {
      at = codeEnd
      continue
    }
    const found = formulaAt(text, at, streaming)
    if (found && found.tex.trim() !== '') {
      const tex = withoutQuoteMarks(text, at, found.tex).trim()
      result += text.slice(copied, at) + encode({ tex, display: found.display })
      at = found.end
      copied = at
    } else at += text[at] === '\\' || text.startsWith('$$', at) ? 2 : 1
  }
  return result + text.slice(copied)
}
