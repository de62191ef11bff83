#!/usr/bin/env node
// Draws public/icon-*.png from public/icon.svg with Chromium. Run it after a change of the icon.
//   node packages/web/scripts/icons.mjs
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { runnerImport } from 'vite'

const here = path.dirname(fileURLToPath(import.meta.url))
const folder = path.join(here, '../public')
const { module } = await runnerImport(path.join(here, '../test/browser.ts'))
const svg = readFileSync(path.join(folder, 'icon.svg'), 'utf8')
// A maskable icon is cut to any shape: its ground fills the square.
const square = svg.replace('rx="112"', 'rx="0"')
const pictures = [
  ['icon-192.png', svg, 192],
  ['icon-512.png', svg, 512],
  ['icon-maskable-512.png', square, 512],
]
const browser = await module.launchBrowser()
for (const [name, source, size] of pictures) {
  const page = await browser.newPage({ viewport: { width: size, height: size } })
  await page.setContent(`<style>body{margin:0}svg{display:block;width:100vw}</style>${source}`)
  await page.screenshot({ path: path.join(folder, name), omitBackground: true })
  await page.close()
}
await browser.close()
