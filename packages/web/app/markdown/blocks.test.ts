import { expect, test } from 'vitest'
import { createBlockParser, type Document } from './blocks.ts'

const sample = `# Title

A paragraph with **bold** and a [link][ref],
that goes on.

- one
- two

  with a second paragraph
- three

1. a
2. b

> quote
lazy line

\`\`\`ts
const a = 1

const b = \`2\`
\`\`\`

| a | b |
|---|---|
| $x$ | 2 |

Setext
===

\\[
x^2
\\]

text
#not a heading
- [ ] task

[ref]: https://example.org
`

const shape = ({ blocks }: Document) => blocks.map((block) => `${block.node.type}: ${block.source}`)

test('streaming by one character ends as parsing at once does', () => {
  const parser = createBlockParser()
  for (let end = 1; end <= sample.length; end++) parser.update(sample.slice(0, end), true)
  const streamed = parser.update(sample, true)
  const whole = createBlockParser().update(sample, false)
  expect(shape(streamed)).toEqual(shape(whole))
  expect(shape(parser.update(sample, false))).toEqual(shape(whole))
})

test('at every length the blocks are those of a parser that starts there', () => {
  const parser = createBlockParser()
  for (let end = 1; end <= sample.length; end++) {
    const text = sample.slice(0, end)
    const fresh = createBlockParser().update(text, true)
    expect(shape(parser.update(text, true)), `at ${end}`).toEqual(shape(fresh))
  }
})

test('only the last block is new', () => {
  const parser = createBlockParser()
  const paragraphs = Array.from({ length: 200 }, (_, i) => `Paragraph ${i} with *some* $x_${i}$.`)
  const text = paragraphs.join('\n\n')
  let before: Document | undefined
  for (let end = 1; end <= text.length; end += 37) {
    const now = parser.update(text.slice(0, end), true)
    const kept = before?.blocks.filter((block, i) => now.blocks[i] === block).length ?? 0
    expect(kept).toBeGreaterThanOrEqual((before?.blocks.length ?? 0) - 2)
    before = now
  }
})

test('10,000 tokens in 500 steps take a small part of parsing it all each time', () => {
  const one = (i: number) => `**${i}.** ${'word '.repeat(24)}$x$.`
  const text = Array.from({ length: 400 }, (_, i) => one(i)).join('\n\n')
  const prefix = (step: number) => text.slice(0, Math.ceil((text.length * step) / 500))
  const time = (steps: number[], parserFor: () => ReturnType<typeof createBlockParser>) => {
    const began = process.cpuUsage()
    for (const step of steps) parserFor().update(prefix(step), true)
    return process.cpuUsage(began).user / 1000
  }
  const parser = createBlockParser()
  const all = Array.from({ length: 500 }, (_, i) => i + 1)
  const grown = time(all, () => parser)
  const anew = 50 * time([50, 100, 150, 200, 250, 300, 350, 400, 450, 500], createBlockParser)
  // Measured about 1/20.
  expect(grown).toBeLessThan(anew / 4)
})

test('a text that changes its beginning is parsed anew', () => {
  const parser = createBlockParser()
  parser.update('one\n\ntwo\n\nthree', true)
  expect(shape(parser.update('uno\n\ntwo', true))).toEqual(['paragraph: uno', 'paragraph: two'])
})

test('definitions reach references, also forward ones once the text is finished', () => {
  const text = '[a][x]\n\nmore\n\n[x]: https://example.org "T"\n'
  const { definitions, blocks } = createBlockParser().update(text, false)
  expect(definitions.get('x')).toBe('https://example.org')
  expect(blocks[0]?.node).toMatchObject({ children: [{ type: 'linkReference' }] })
})

test('the same text gives the same document', () => {
  const parser = createBlockParser()
  expect(parser.update('a', true)).toBe(parser.update('a', true))
  expect(parser.update('', true).blocks).toEqual([])
})

test.each([
  ['6*3=18 6*6=36', '6*3=18 6*6=36'],
  ['48*6: 8*6=48\n(6*6)*(3)*2', '48*6: 8*6=48\n(6*6)*(3)*2'],
  ['7*', '7*'],
  ['*6* and **7** and **2*3** x', '<6> and <7> and <2*3> x'],
  ['un*frei*willig', 'un<frei>willig'],
  ['`2*3*4` and 2*3', '2*3*4 and 2*3'],
])('a star between numbers is no emphasis: %s', (source, expected) => {
  type Node = { type: string; value?: string; children?: Node[] }
  const text = (node: Node): string => {
    const inside = node.value ?? (node.children ?? []).map(text).join('')
    return /emphasis|strong/.test(node.type) ? `<${inside}>` : inside
  }
  const { blocks } = createBlockParser().update(source, false)
  expect(blocks.map(({ node }) => text(node as Node)).join('')).toBe(expected)
})
