import { expect, test } from 'vitest'
import { encodeMath, plainMath, splitMath } from './math.ts'

/** Formulas as ⟦inline⟧ and ⟦⟦display⟧⟧, everything else as it is. */
function seen(text: string, streaming = false): string {
  return splitMath(encodeMath(text, streaming))
    .map((part) =>
      typeof part === 'string' ? part : part.display ? `⟦⟦${part.tex}⟧⟧` : `⟦${part.tex}⟧`,
    )
    .join('')
}

test.each([
  ['all four marks', 'a $x$ b $$y$$ c \\(z\\) d \\[w\\]', 'a ⟦x⟧ b ⟦⟦y⟧⟧ c ⟦z⟧ d ⟦⟦w⟧⟧'],
  ['over lines', '$$\nx\n+ y\n$$', '⟦⟦x\n+ y⟧⟧'],
  ['brackets over lines', 'so\n\\[\n  a_1 * b_1\n\\]\nthen', 'so\n⟦⟦a_1 * b_1⟧⟧\nthen'],
  ['in a list', '- one \\(a\\)\n  \\[\n  b\n  \\]', '- one ⟦a⟧\n  ⟦⟦b⟧⟧'],
  ['in a quote', '> \\[\n> a\n> \\]', '> ⟦⟦a⟧⟧'],
  ['in bold', '**\\(a\\)** and *$b$*', '**⟦a⟧** and *⟦b⟧*'],
  ['in a table cell', '| $|x|$ | 2 |', '| ⟦|x|⟧ | 2 |'],
  ['a matrix with line breaks', '\\[a \\\\[2pt] b \\\\ c\\]', '⟦⟦a \\\\[2pt] b \\\\ c⟧⟧'],
  ['dollars inside text', '$\\text{costs \\$5}$', '⟦\\text{costs \\$5}⟧'],
  ['prices', 'It costs $5, or $10 for two.', 'It costs $5, or $10 for two.'],
  ['a range of prices', '$5-$10', '$5-$10'],
  ['spaces inside', 'a $ b $ c', 'a $ b $ c'],
  ['escaped', 'a \\$x\\$ b', 'a \\$x\\$ b'],
  ['escaped bracket', 'a \\\\(x\\\\)', 'a \\\\(x\\\\)'],
  ['shell', 'run `echo $HOME` and `$x`', 'run `echo $HOME` and `$x`'],
  ['a code span of two ticks', '``a ` $x$`` $y$', '``a ` $x$`` ⟦y⟧'],
  ['a fence', '```sh\necho $A $B\n```\n$x$', '```sh\necho $A $B\n```\n⟦x⟧'],
  ['a fence in a list', '- a\n  ~~~\n  $x$\n  ~~~\n$y$', '- a\n  ~~~\n  $x$\n  ~~~\n⟦y⟧'],
  ['a longer fence holds a shorter one', '````\n```\n$x$\n````\n$y$', '````\n```\n$x$\n````\n⟦y⟧'],
  ['an open fence', '```\n$x$', '```\n$x$'],
  ['an unmatched tick', 'a ` b $x$', 'a ` b ⟦x⟧'],
  ['across paragraphs', 'a $x\n\nb$ c', 'a $x\n\nb$ c'],
  ['open at the end', 'a \\(x', 'a \\(x'],
  ['empty', '$$$$ \\(\\) $$', '$$$$ \\(\\) $$'],
  ['only marks', '$', '$'],
])('%s', (_, text, expected) => expect(seen(text)).toBe(expected))

test.each([
  ['a \\(x + ', 'a ⟦x +⟧'],
  ['a \\[\\frac{a}', 'a ⟦⟦\\frac{a}⟧⟧'],
  ['a $$x^2$', 'a ⟦⟦x^2⟧⟧'],
  ['a $\\frac{1}{2', 'a ⟦\\frac{1}{2⟧'],
  ['it costs $5 and', 'it costs $5 and'],
  ['```\n\\[x', '```\n\\[x'],
])('while streaming, %j', (text, expected) => expect(seen(text, true)).toBe(expected))

test('every prefix of a text with formulas is encoded without loss', () => {
  const text =
    'Let $a_1$ and \\[\n\\begin{pmatrix}1\\\\2\\end{pmatrix}\n\\] `$c` **\\(d\\)** $$e$$ $5.'
  for (let end = 0; end <= text.length; end++) {
    const prefix = text.slice(0, end)
    const letters = (of: string) => of.replace(/[\s$\\()[\]⟦⟧]/g, '')
    expect(letters(seen(prefix, true))).toBe(letters(prefix))
  }
})

test('characters that stand for formulas cannot be smuggled in', () => {
  const smuggled = '\u{100001}\u{f0061}\u{100002}'
  expect(splitMath(encodeMath(`a ${smuggled} b`))).toEqual(['a \ufffd\ufffd\ufffd b'])
})

test('surrogates survive, and plainMath gives the source back', () => {
  expect(seen('$\\text{🐟}$')).toBe('⟦\\text{🐟}⟧')
  expect(plainMath(encodeMath('a $x$ b \\[y\\]'))).toBe('a $x$ b $$y$$')
})

test.each([
  ['backticks', '`a``b'],
  ['dollars', '$a '],
  ['display', '$$a '],
  ['brackets', '\\[a \\(b '],
  ['fences', '\n```a\n~~~'],
  ['list marks', '\n- - - - ~~~'],
])('100 KB of unclosed %s take no second of CPU', (_, piece) => {
  const text = piece.repeat(Math.ceil(100_000 / piece.length))
  const began = process.cpuUsage()
  encodeMath(text, true)
  encodeMath(text, false)
  expect(process.cpuUsage(began).user / 1000).toBeLessThan(1000)
})
