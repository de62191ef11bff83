// The built page in headless Chromium against `hadal serve` as people start it, with the embedded model behind it.
// The scalar kernels on one thread make that model slow enough to watch. Skipped only where there is no Chromium.
import { type ChildProcess, spawn } from 'node:child_process'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Browser, Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { contentSecurityPolicy } from '../src/index.ts'
import { browserPath, expectSaved, launchBrowser, openPage, type Watched } from './browser.ts'

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../../..')
const cli = path.join(root, 'packages/hadal/dist/cli.js')
const slow = ['--precision', 'reference', '--threads', '1']
const strawberry = 'How many r are in strawberry?'

interface Served {
  readonly url: string
  readonly child: ChildProcess
  readonly exit: Promise<unknown>
}

async function serve(args: readonly string[]): Promise<Served> {
  const env = Object.entries(process.env).filter(([name]) => !name.startsWith('HADAL_'))
  const child = spawn(process.execPath, [cli, 'serve', '--port', '0', '--log', 'off', ...args], {
    env: { ...Object.fromEntries(env), NO_COLOR: '1' },
  })
  const exit = new Promise((resolve) => child.on('close', resolve))
  let [out, err] = ['', '']
  child.stdout.on('data', (data) => {
    out += data
  })
  child.stderr.on('data', (data) => {
    err += data
  })
  await vi.waitFor(() => expect(err).toContain('ready'), { timeout: 60_000 })
  return { url: /at (http:\S+)/.exec(out)?.[1] ?? '', child, exit }
}

let browser: Browser
let served: Served
let watched: Watched
let page: Page

const open = async (settings: object = { temperature: 0 }) => {
  watched = await openPage(browser, served.url)
  page = watched.page
  await page.evaluate(
    (json) => localStorage.setItem('hadal.settings', json),
    JSON.stringify(settings),
  )
  await page.reload()
}
const button = (name: string) => page.getByRole('button', { name, exact: true })
const answers = () => page.getByRole('article', { name: 'Answer' })
const thinking = () => page.locator('.thinking-title')
const thought = () => page.getByRole('button', { name: /^Thought for/ })
const idle = () => button('Send').waitFor({ timeout: 90_000 })
const asked = async (text: string) => {
  await page.getByLabel('Your question').fill(text)
  await button('Send').click()
}
// "Send" is still there for a moment after the click: the new answer comes first, then its end.
const ask = async (text: string) => {
  const question = page.getByLabel('Your question')
  await question.fill(text)
  const before = await answers().count()
  await button('Send').click()
  await answers().nth(before).waitFor()
  await idle()
}
const statistics = async () => {
  await page
    .getByRole('button', { name: /^Statistics: [\d.]+ tokens\/s, \d+ tokens$/ })
    .last()
    .click()
  const text = await page.getByRole('dialog', { name: 'Statistics' }).textContent()
  await page.keyboard.press('Escape')
  return text ?? ''
}
const metric = async (name: string) => {
  const text = await (await fetch(`${served.url}/metrics`)).text()
  return Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(text)?.[1])
}

describe.skipIf(!browserPath)('the chat page that hadal serve sends', () => {
  let shared: Served
  beforeAll(async () => {
    browser = await launchBrowser()
    shared = await serve(slow)
  })
  afterAll(async () => {
    await browser?.close()
    shared?.child.kill('SIGKILL')
  })
  beforeEach(() => {
    served = shared
  })
  afterEach(async () => {
    const { problems, outside, context } = watched
    await context.close()
    if (served !== shared) served.child.kill('SIGKILL')
    expect(outside).toEqual([])
    const expected = /Failed to load resource|ERR_(CONNECTION|EMPTY|INCOMPLETE)/
    expect(problems.filter((text) => !expected.test(text))).toEqual([])
  })

  test('thinks in sight, folds, answers, and says its numbers', async () => {
    await open()
    await page.getByPlaceholder('Ask hadal-nano anything').waitFor()
    await asked(strawberry)
    await thinking().waitFor()
    expect(await thinking().textContent()).toContain('Thinking')
    expect(await thinking().getAttribute('aria-expanded')).toBe('true')
    const length = async () => ((await page.locator('.thinking-text').textContent()) ?? '').length
    const first = await length()
    await expect.poll(length).toBeGreaterThan(first)
    expect(await button('Stop').count()).toBe(1)
    await thought().waitFor({ timeout: 90_000 })
    await idle()
    expect(await thought().getAttribute('aria-expanded')).toBe('false')
    expect((await page.locator('.message.assistant > .markdown').textContent())?.trim()).toBe('3')
    const stats = await statistics()
    expect(stats).toMatch(/Prompt\d+ tokens/)
    expect(stats).toMatch(/Thinking\d+ tokens/)
    expect(stats).toMatch(/First token after[\d.]+ m?s/)
    expect(stats).toMatch(/Modelhadal-nano/)
    expect(stats).not.toContain('Cost')
  })

  test('every file comes under the page’s own policy, and nothing else is asked', async () => {
    watched = await openPage(browser, served.url)
    page = watched.page
    const policies = new Map<string, string | undefined>()
    page.on('response', (response) => {
      const { pathname } = new URL(response.url())
      if (!/^\/(v1|health)/.test(pathname))
        policies.set(pathname, response.headers()['content-security-policy'])
    })
    await page.reload()
    await page.evaluate(() => navigator.serviceWorker.ready)
    await ask(strawberry)
    expect(policies.size).toBeGreaterThan(3)
    for (const [file, policy] of policies) expect(policy, file).toBe(contentSecurityPolicy)
    const index = await fetch(`${served.url}/`)
    expect(index.headers.get('content-security-policy')).toBe(contentSecurityPolicy)
    expect(index.headers.get('content-security-policy')).not.toContain('unsafe')
    expect(index.headers.get('x-frame-options')).toBe('DENY')
  })

  test('stop stops the engine; continue goes on in the thinking', async () => {
    await open()
    await asked(strawberry)
    await thinking().waitFor()
    expect(await metric('hadal_requests_running')).toBe(1)
    await button('Stop').click()
    await expect.poll(() => metric('hadal_requests_running')).toBe(0)
    expect(await metric('hadal_choices_active')).toBe(0)
    const made = await metric('hadal_tokens_generated_total')
    await page.waitForTimeout(300)
    expect(await metric('hadal_tokens_generated_total')).toBe(made)
    await page.getByRole('button', { name: /^Stopped after thinking/ }).waitFor()
    const before = (await page.locator('.thinking-text').textContent()) ?? ''
    await button('Continue').click()
    await thought().waitFor({ timeout: 90_000 })
    await idle()
    expect((await page.locator('.message.assistant > .markdown').textContent())?.trim()).toBe('3')
    await thought().click()
    const whole = (await page.locator('.thinking-text').textContent()) ?? ''
    expect(whole.startsWith(before.trimEnd())).toBe(true)
    expect(whole.length).toBeGreaterThan(before.length)
  })

  test('answer now closes the thinking of the engine', async () => {
    await open()
    await asked(strawberry)
    await button('Answer now').click()
    await thought().waitFor()
    await idle()
    expect(await answers().locator('.ending').count()).toBe(0)
  })

  test('regenerate makes a second version; a reload keeps both', async () => {
    await open()
    await ask(strawberry)
    await button('Regenerate').click()
    await idle()
    await page.getByText('2/2').waitFor()
    await expectSaved(page, 3)
    await page.reload()
    await page.getByText('2/2').waitFor()
    await thought().waitFor()
    await button('Earlier version').click()
    await page.getByText('1/2').waitFor()
    expect(await answers().textContent()).toContain('3')
    expect(await page.title()).toBe(`${strawberry} · Hadal`)
  })

  test('a turn after a long one reads its beginning from the cache', async () => {
    await open({ temperature: 0, systemPrompt: 'Count with care. '.repeat(6) })
    await ask(strawberry)
    await ask('How many s are in process?')
    const cached = /From the cache(\d+) \((\d+) %\)/.exec(await statistics())
    expect(Number(cached?.[1])).toBeGreaterThanOrEqual(64)
    expect(await metric('hadal_prefix_cache_hit_tokens_total')).toBeGreaterThanOrEqual(64)
  })

  test('what people multiply stays whole in the thinking', async () => {
    await open()
    await ask('What is 47 * 36?')
    await thought().click()
    const text = (await page.locator('.thinking-text').textContent()) ?? ''
    expect(text).toMatch(/\d\*\d/)
    expect(await page.locator('.thinking-text em').count()).toBe(0)
    await button('Settings').click()
    await page.getByRole('tab', { name: 'Answers' }).click()
    // Names of the same model with thinking off and on, which Think decides.
    expect(await page.getByText('deepseek-reasoner').count()).toBe(0)
  })

  test('a server with a key: asked for, refused, taken, kept over a reload', async () => {
    served = await serve(['--api-key', 'deep-sea'])
    await open()
    const key = page.getByRole('dialog').getByLabel('Key')
    await key.fill('shallow')
    await button('Use this key').click()
    await page.getByText('did not accept the key').waitFor()
    await key.fill('deep-sea')
    await button('Use this key').click()
    await page.getByRole('dialog').waitFor({ state: 'detached' })
    await ask(strawberry)
    expect(await answers().textContent()).toContain('3')
    await expectSaved(page, 2)
    await page.reload()
    await answers().waitFor()
    await ask(strawberry)
    expect(await answers().count()).toBe(2)
    expect(await page.evaluate(() => JSON.stringify(localStorage))).not.toContain('deep-sea')
  })

  test('a server that ends says so in the answer', async () => {
    served = await serve([...slow, '--grace', '0'])
    await open()
    await asked(strawberry)
    await thinking().waitFor()
    served.child.kill('SIGTERM')
    await page.getByText('The server was shut down in the middle of this answer.').waitFor()
    await button('Continue').waitFor()
    await served.exit
    await page.evaluate(() => window.dispatchEvent(new Event('online')))
    await page.getByText('No connection to the server.').waitFor()
  })
})
