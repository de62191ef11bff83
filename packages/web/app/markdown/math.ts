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

/** Longest formulas that are looked for. */
const inlineLimit = 4000
const displayLimit = 20_000

/** A text being read, and what is known of it: every search below is linear in sum, however hostile the text. */
interface Scan {
  text: string
  streaming: boolean
  /** End of the paragraph last asked about. */
  paragraphEnd: number
  /** For each closing mark: none stands before this place, after the place last read. */
  none: Record<string, number>
}

function match(pattern: RegExp, text: string, at: number): RegExpExecArray | null {
  pattern.lastIndex = at
  return pattern.exec(text)
}

const blankLine = /\n[ \t>]*\n/g

function endOfParagraph(scan: Scan, at: number): number {
  if (at >= scan.paragraphEnd)
    scan.paragraphEnd = match(blankLine, scan.text, at)?.index ?? scan.text.length
  return scan.paragraphEnd
}

/** What stands before `at` in its line, or undefined when that is longer than `most`. */
function lineBefore(text: string, at: number, most: number): string | undefined {
  const before = text.slice(Math.max(0, at - most), at)
  const newline = before.lastIndexOf('\n')
  return newline >= 0 || at <= most ? before.slice(newline + 1) : undefined
}

const fenceHere = /(`{3,}|~{3,})([^\n]*)/y
const ticksHere = /`+/y
/** A fence may stand in a list item or a quote. */
const fenceIndent = /^[ \t>]*(?:(?:[-*+]|\d{1,9}[.)])[ \t]+)*$/

function endOfFence(text: string, at: number): number {
  const before = lineBefore(text, at, 40)
  if (before === undefined || !fenceIndent.test(before)) return -1
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
function endOfCode(scan: Scan, at: number): number {
  const { text, none } = scan
  const fence = endOfFence(text, at)
  if (fence > 0) return fence
  const length = match(ticksHere, text, at)?.[0].length
  if (!length) return -1
  const limit = endOfParagraph(scan, at)
  const name = `ticks ${length}`
  let next = Math.max(at + length, none[name] ?? 0)
  for (; next < limit; ) {
    next = text.indexOf('`', next)
    if (next < 0 || next >= limit) break
    const run = match(ticksHere, text, next)?.[0].length ?? 1
    if (run === length) return next + run
    next += run
  }
  none[name] = limit
  return at + length
}

/** Inside a quote every line of a formula carries the quote's mark. */
function withoutQuoteMarks(text: string, at: number, tex: string): string {
  const quoted = /^[ \t]*>/.test(lineBefore(text, at, 200) ?? '')
  return quoted ? tex.replace(/\n[ \t]*(?:>[ \t]?)+/g, '\n') : tex
}

interface Found extends Formula {
  end: number
}

/**
 * Where a closing mark stands between `from` and `limit`, or -1. What a backslash escapes does not close
 * (`\\\\]` ends a row of a matrix); `closes` may look at what is around the mark; `until` ends the search.
 */
function findCloser(
  scan: Scan,
  closer: string,
  from: number,
  limit: number,
  closes: (at: number) => boolean = () => true,
  until: string = '',
): number {
  const { text, none } = scan
  let at = Math.max(from, none[closer] ?? 0)
  for (; at < limit; at++) {
    if (text[at] === until) break
    if (text.startsWith(closer, at) && closes(at)) return at
    if (text[at] === '\\') at++
  }
  none[closer] = at
  return -1
}

function bracketed(scan: Scan, at: number): Found | undefined {
  const { text } = scan
  const display = text[at + 1] === '['
  const most = display ? displayLimit : inlineLimit
  const limit = Math.min(display ? text.length : endOfParagraph(scan, at), at + most)
  const end = findCloser(scan, display ? '\\]' : '\\)', at + 2, limit)
  if (end >= 0) return { tex: text.slice(at + 2, end), display, end: end + 2 }
  const open = scan.streaming && limit === text.length
  return open ? { tex: text.slice(at + 2), display, end: text.length } : undefined
}

function doubleDollar(scan: Scan, at: number): Found | undefined {
  const { text } = scan
  const limit = Math.min(text.length, at + displayLimit)
  const end = findCloser(scan, '$$', at + 2, limit)
  if (end >= 0) return { tex: text.slice(at + 2, end), display: true, end: end + 2 }
  if (!scan.streaming || limit < text.length) return undefined
  return { tex: text.slice(at + 2).replace(/\$$/, ''), display: true, end: text.length }
}

/**
 * One dollar, by Pandoc's rule, so that prices stay prices: no space after the opening one, none before the
 * closing one, no digit after it, and all within a paragraph.
 */
function singleDollar(scan: Scan, at: number): Found | undefined {
  const { text } = scan
  if (/[\s$]/.test(text[at + 1] ?? ' ')) return undefined
  const limit = Math.min(endOfParagraph(scan, at), at + inlineLimit)
  const closes = (end: number) =>
    !/\s/.test(text[end - 1] ?? ' ') && !/\d/.test(text[end + 1] ?? '')
  const end = findCloser(scan, '$', at + 1, limit, closes, '`')
  if (end >= 0) return { tex: text.slice(at + 1, end), display: false, end: end + 1 }
  // Still being written: only what can hardly be anything else is drawn before it is closed.
  if (!scan.streaming || limit < text.length || !surelyTex.test(text.slice(at + 1, at + 100)))
    return undefined
  return { tex: text.slice(at + 1), display: false, end: text.length }
}

const surelyTex = /^[^\s$`]*(?:\\[a-zA-Z]|[\^_]\{)/

function formulaAt(scan: Scan, at: number): Found | undefined {
  const char = scan.text[at]
  const next = scan.text[at + 1]
  if (char === '\\' && (next === '(' || next === '[')) return bracketed(scan, at)
  if (char !== '$') return undefined
  return next === '$' ? doubleDollar(scan, at) : singleDollar(scan, at)
}

const interesting = /[`~\\$]/g

/** Encodes every formula outside code. While `streaming`, one that is still open counts to the end. */
export function encodeMath(source: string, streaming: boolean = false): string {
  const text = source.replace(privateUse, '\ufffd')
  const scan: Scan = { text, streaming, paragraphEnd: 0, none: {} }
  let result = ''
  let copied = 0
  for (let at = 0; at < text.length; ) {
    const next = match(interesting, text, at)
    if (!next) break
    at = next.index
    const codeEnd = text[at] === '`' || text[at] === '~' ? endOfCode(scan, at) : -1
    if (codeEnd > 0) {
      at = codeEnd
      continue
    }
    const found = formulaAt(scan, at)
    if (found && found.tex.trim() !== '') {
      const tex = withoutQuoteMarks(text, at, found.tex).trim()
      result += text.slice(copied, at) + encode({ tex, display: found.display })
      copied = found.end
    }
    if (found) at = found.end
    else at += text[at] === '\\' || text.startsWith('$$', at) ? 2 : 1
  }
  return result + text.slice(copied)
}
