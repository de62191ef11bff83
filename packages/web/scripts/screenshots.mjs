#!/usr/bin/env node
// Takes the README's pictures of the chat page with scripted answers: docs/images/chat-page-*.png.
//   npm run build && node packages/web/scripts/screenshots.mjs [name...]
// System fonts differ by machine; here Debian's fonts-inter and fonts-jetbrains-mono stand for them.
import { mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { runnerImport } from 'vite'

const here = path.dirname(fileURLToPath(import.meta.url))
const out = process.env.OUT ?? path.join(here, '../../../docs/images')
const load = async (file) => (await runnerImport(path.join(here, '../test', file))).module
const { launchBrowser, openPage } = await load('browser.ts')
const { startMock } = await load('mock/server.ts')

const fonts = mkdtempSync(path.join(os.tmpdir(), 'hadal-fonts-'))
const fontsFile = path.join(fonts, 'fonts.conf')
const alias = (name, font) =>
  `<match target="pattern"><test name="family"><string>${name}</string></test>` +
  `<edit name="family" mode="prepend" binding="strong"><string>${font}</string></edit></match>`
writeFileSync(
  fontsFile,
  `<?xml version="1.0"?><!DOCTYPE fontconfig SYSTEM "fonts.dtd"><fontconfig>` +
    `<include ignore_missing="yes">/etc/fonts/fonts.conf</include>` +
    `${alias('system-ui', 'Inter')}${alias('sans', 'Inter')}${alias('sans-serif', 'Inter')}${alias('monospace', 'JetBrains Mono')}</fontconfig>`,
)

const desktop = { viewport: { width: 1280, height: 800 } }
const phone = {
  viewport: { width: 390, height: 844 },
  deviceScaleFactor: 2,
  isMobile: true,
  hasTouch: true,
}
const question = 'How does light fade with depth in the sea?'
const earlier = [
  'How many r are in strawberry?',
  'What is 47 * 36?',
  'Which is larger, 9.11 or 9.9?',
  'Rewrite the parser without recursion',
]

const send = async (page, text) => {
  await page.getByLabel('Your question').fill(text)
  await page.getByRole('button', { name: 'Send', exact: true }).click()
}
const newChat = (page) => page.keyboard.press('Control+Shift+O')
const idle = (page) => page.getByRole('button', { name: 'Send', exact: true }).waitFor()

async function withHistory({ page, mock }) {
  mock.state.speed = 50
  for (const text of earlier) {
    await send(page, text)
    await idle(page)
    await newChat(page)
    await page.waitForTimeout(100)
  }
  mock.state.speed = 1
}

async function live(shot) {
  if (!shot.phone) await withHistory(shot)
  shot.mock.state.speed = 0.35
  await send(shot.page, question)
  await shot.page.waitForTimeout(4300)
}

async function folded(shot) {
  if (!shot.phone) await withHistory(shot)
  await send(shot.page, question)
  await shot.page.getByRole('button', { name: /^Thought for/ }).waitFor()
  await idle(shot.page)
  await shot.page.waitForTimeout(500)
  if (shot.top) await shot.page.locator('.scroller').evaluate((element) => element.scrollTo(0, 0))
  await shot.page.mouse.move(shot.top ? 5 : 900, 400)
  await shot.page.waitForTimeout(300)
}

const welcome = ({ page }) => page.waitForTimeout(500)

async function settings({ page }) {
  await page.getByRole('button', { name: 'Settings' }).click()
  await page.waitForTimeout(400)
}

async function search(shot) {
  await withHistory(shot)
  await shot.page.keyboard.press('Control+k')
  await shot.page.getByPlaceholder('Search titles').fill('r')
  await shot.page.waitForTimeout(400)
}

async function drawer(shot) {
  await send(shot.page, earlier[1])
  await idle(shot.page)
  await shot.page.getByRole('button', { name: 'Open sidebar' }).click()
  await shot.page.waitForTimeout(500)
}

async function troubles({ page, mock }) {
  mock.state.busy = { times: 2, status: 429, retryAfter: 12 }
  await send(page, earlier[0])
  await page.waitForTimeout(1200)
  mock.state.health = { status: 'loading', progress: { stage: 'experts', done: 37, total: 100 } }
  await page.evaluate(() => window.dispatchEvent(new Event('online')))
  await page.waitForTimeout(900)
}

/** Not in the README; taken when named. */
const extra = {
  welcome: { ...desktop, colorScheme: 'dark', act: welcome },
  settings: { ...desktop, colorScheme: 'light', act: settings },
  search: { ...desktop, colorScheme: 'dark', act: search },
  drawer: { ...phone, colorScheme: 'dark', act: drawer, phone: true },
  troubles: { ...desktop, colorScheme: 'light', act: troubles },
}

const shots = {
  'light-thinking': { ...desktop, colorScheme: 'light', act: live },
  light: { ...desktop, colorScheme: 'light', act: folded, top: true },
  'dark-thinking': { ...desktop, colorScheme: 'dark', act: live },
  dark: { ...desktop, colorScheme: 'dark', act: folded },
  'phone-thinking': { ...phone, colorScheme: 'dark', act: live, phone: true },
  phone: { ...phone, colorScheme: 'light', act: folded, phone: true, top: true },
}

mkdirSync(out, { recursive: true })
const browser = await launchBrowser({ FONTCONFIG_FILE: fontsFile })
const names = process.argv.slice(2)
for (const [name, { act, phone: isPhone, top, ...options }] of Object.entries({
  ...shots,
  ...extra,
})) {
  if (names.length > 0 ? !names.includes(name) : name in extra) continue
  const mock = await startMock()
  const { page, context } = await openPage(browser, mock.url, options)
  await page.waitForTimeout(600)
  await act({ page, mock, phone: isPhone, top })
  const file = path.join(out, `chat-page-${name}.png`)
  await page.screenshot({ path: file, animations: 'allow' })
  process.stdout.write(`${file} ${Math.round(statSync(file).size / 1024)} KB\n`)
  await context.close()
  await mock.close()
}
await browser.close()
rmSync(fonts, { recursive: true })
