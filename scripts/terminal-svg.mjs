#!/usr/bin/env node
// Draws a terminal session as an SVG, from the program's real output: docs/images/chat.svg.
//   node scripts/terminal-svg.mjs > docs/images/chat.svg
import { spawnSync } from 'node:child_process'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..')
const questions = ['How many r are in strawberry?', 'What is 47 * 36?']
const cli = path.join(root, 'packages/hadal/dist/cli.js')
const run = spawnSync(process.execPath, [cli, 'chat', '--temperature', '0'], {
  input: `${questions.join('\n')}\n/bye\n`,
  encoding: 'utf8',
  env: { ...process.env, FORCE_COLOR: '1', HADAL_HISTORY: '0' },
})
if (run.status !== 0) throw new Error(run.stderr)

// A pipe has no prompt line; put each question back where it was typed.
const [welcome, ...answers] = run.stdout.split(/\n(?=\x1b\[2m[a-z0-9]+\x1b\[22m)/)
const whole = [
  '$ npm run chat',
  '',
  welcome.trimEnd(),
  ...splitAnswers(answers.join('\n')).flatMap((answer, i) => [
    '',
    `> ${questions[i]}`,
    answer.trimEnd(),
  ]),
].join('\n')

function splitAnswers(text) {
  const parts = text.split(/(?<=first after [^\n]*\n)\n*/)
  return parts.filter((part) => part.trim() !== '').slice(0, questions.length)
}

const escapeXml = (text) => text.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;')
const [lineHeight, left, top, width] = [19, 24, 52, 920]

/** A line of text with dim and bold runs as tspans; styles carry over lines. */
const style = { dim: false, bold: false }
function draw(line, row) {
  const spans = []
  for (const piece of line.split(/(\x1b\[\d+m)/)) {
    const code = /^\x1b\[(\d+)m$/.exec(piece)?.[1]
    if (code === '2') style.dim = true
    else if (code === '1') style.bold = true
    else if (code === '22') Object.assign(style, { dim: false, bold: false })
    else if (piece !== '') {
      const prompt = /^[>$] /.test(piece)
        ? ' class="p"'
        : style.dim
          ? ' class="d"'
          : style.bold
            ? ' class="b"'
            : ''
      spans.push(`<tspan${prompt}>${escapeXml(piece)}</tspan>`)
    }
  }
  return `<text x="${left}" y="${top + row * lineHeight}" xml:space="preserve">${spans.join('')}</text>`
}

const lines = whole.split('\n')
const height = top + lines.length * lineHeight + 8
process.stdout.write(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" role="img" aria-label="A chat with the embedded model">
<style>
text{font:13px ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;fill:#e6edf3}
.d{fill:#7d8590}.b{font-weight:700}.p{fill:#58a6ff}
</style>
<rect width="${width}" height="${height}" rx="10" fill="#0d1117"/>
<circle cx="24" cy="20" r="6" fill="#ff5f57"/><circle cx="44" cy="20" r="6" fill="#febc2e"/><circle cx="64" cy="20" r="6" fill="#28c840"/>
${lines.map(draw).join('\n')}
</svg>
`)
