// The built page in headless Chromium against the mock server: what a reader does, from the first question to
// the phone. Skipped only where there is no Chromium.
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import type { Browser, Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { browserPath, expectSaved, launchBrowser, openPage, type Watched } from './browser.ts'
import { scriptFor } from './mock/answers.ts'
import { type Mock, startMock } from './mock/server.ts'

let browser: Browser
let mock: Mock
let watched: Watched
let page: Page

const open = async (options: Parameters<typeof openPage>[2] = {}) => {
  await watched?.context.close()
  watched = await openPage(browser, mock.url, options)
  page = watched.page
}
const button = (name: string) => page.getByRole('button', { name, exact: true })
const input = () => page.getByLabel('Your question')
const answers = () => page.getByRole('article', { name: 'Answer' })
const questions = () => page.getByRole('article', { name: 'Question' })
const idle = () => button('Send').waitFor({ timeout: 60_000 })
const asked = async (text: string) => {
  await input().fill(text)
  await button('Send').click()
}
/** What makes the page ask, and the answer to its end: "Send" is still there for a moment after the click. */
const answered = async (action: () => Promise<unknown>) => {
  const before = mock.requests.length
  await action()
  await expect.poll(() => mock.requests.length).toBeGreaterThan(before)
  await idle()
}
const ask = (text: string) => answered(() => asked(text))

describe.skipIf(!browserPath)('the chat page', () => {
  beforeAll(async () => {
    browser = await launchBrowser()
  })
  afterAll(() => browser?.close())
  beforeEach(async () => {
    mock = await startMock()
    await open()
  })
  afterEach(async () => {
    const { problems, outside } = watched
    await watched.context.close()
    await mock.close()
    expect(outside).toEqual([])
    const expected = /Failed to load resource|ERR_(CONNECTION|EMPTY|INCOMPLETE)/
    expect(problems.filter((text) => !expected.test(text))).toEqual([])
  })

  test('ask, watch the thinking live, see it fold, read the answer and its numbers', async () => {
    // Half a minute of thinking, cut short below when all of it was seen.
    const script = scriptFor('strawberry')
    mock.state.script = {
      ...script,
      thinking: (script.thinking ?? '').repeat(20),
      thinkingRate: 60,
    }
    await asked('How many r are in strawberry?')
    const head = page.locator('.thinking-title')
    await head.waitFor()
    expect(await head.getAttribute('aria-expanded')).toBe('true')
    const first = await head.textContent()
    await expect.poll(() => head.textContent()).not.toBe(first)
    const box = page.locator('.thinking-text')
    const shape = () =>
      box.evaluate((element) => ({
        full: element.scrollHeight > element.clientHeight,
        height: element.clientHeight,
        atEnd: element.scrollHeight - element.scrollTop - element.clientHeight < 30,
      }))
    await expect.poll(shape).toMatchObject({ full: true, atEnd: true })
    expect((await shape()).height).toBeLessThanOrEqual(14 * 16 + 1)
    expect(await head.getAttribute('aria-expanded')).toBe('true')
    mock.state.speed = 100
    await idle()
    const folded = page.getByRole('button', { name: /^Thought for (less than a|\d+) second/ })
    expect(await folded.getAttribute('aria-expanded')).toBe('false')
    expect(await page.getByRole('cell').count()).toBeGreaterThan(8)
    expect(await answers().textContent()).toContain('There are 3 r')
    await page.getByRole('button', { name: /^Statistics: 42.6 tokens\/s/ }).click()
    const stats = await page.getByRole('dialog', { name: 'Statistics' }).textContent()
    expect(stats).toMatch(/From the cache\d+ \(\d+ %\)/)
    expect(stats).toMatch(/First token after84 ms/)
    expect(stats).toMatch(/Cost\$0\.\d+/)
  })

  test('the reader’s own toggle wins over folding, and the setting over both', async () => {
    await asked('slow strawberry')
    const head = page.locator('.thinking-title')
    await head.click()
    await expect.poll(() => head.getAttribute('aria-expanded')).toBe('false')
    await page.waitForTimeout(300)
    expect(await head.getAttribute('aria-expanded')).toBe('false')
    await button('Stop').click()
    expect(
      await page.getByRole('button', { name: /^Stopped after/ }).getAttribute('aria-expanded'),
    ).toBe('false')
    await button('Settings').click()
    await page.getByRole('switch', { name: 'Keep thinking open' }).click()
    await page.keyboard.press('Escape')
    await ask('What is 47 * 36?')
    const open = page.getByRole('button', { name: /^Thought for/ })
    expect(await open.getAttribute('aria-expanded')).toBe('true')
  })

  test('stop ends the request at once; continue goes on in the middle of the thinking', async () => {
    await asked('slow strawberry')
    await page.getByText('strawberry".').waitFor()
    await page.keyboard.press('Escape')
    await idle()
    await expect.poll(() => mock.aborted).toBe(1)
    mock.state.speed = 30
    await answered(() => button('Continue').click())
    expect(mock.requests[1]?.messages.at(-1)).toMatchObject({ prefix: true, content: '' })
    expect(mock.requests[1]?.messages.at(-1)?.reasoning_content).toContain('strawberry')
    expect(await answers().count()).toBe(1)
    expect(await answers().textContent()).toContain('There are 3 r')
  })

  test('answer now ends the thinking', async () => {
    await asked('slow strawberry')
    await button('Answer now').click()
    await page.getByText('There are').waitFor()
    expect(mock.paths).toContain('/v1/chat/completions/chatcmpl-1/end_thinking')
    mock.state.speed = 30
    await idle()
    await page.getByRole('button', { name: /^Thought for/ }).waitFor()
  })

  test('an answer that never came is said, with its thinking in sight', async () => {
    mock.state.script = { thinking: 'Hm. I do not know.', answer: '' }
    await ask('What is it?')
    await page.getByText('The model ended without an answer.').waitFor()
    const head = page.getByRole('button', { name: /^Thought for/ })
    expect(await head.getAttribute('aria-expanded')).toBe('true')
    await button('Regenerate').waitFor()
  })

  test('regenerate, edit and branch, switch between versions, delete and undo', async () => {
    await ask('What is 47 * 36?')
    await answered(() => button('Regenerate').click())
    await page.getByText('2/2').waitFor()
    await button('Earlier version').click()
    await page.getByText('1/2').waitFor()
    await questions().hover()
    await button('Edit question').click()
    await page.getByLabel('Edit question').fill('What is 1 + 1?')
    await answered(() => page.keyboard.press('Control+Enter'))
    expect(await answers().textContent()).toContain('You said: What is 1 + 1?')
    await button('Earlier version').first().click()
    expect(await answers().textContent()).toContain('1692')
    await answers().hover()
    await button('Delete answer').click()
    await page.getByText('Answer deleted').waitFor()
    await button('Undo').click()
    await page.getByText('1/2').first().waitFor()
    expect(mock.requests).toHaveLength(3)
  })

  test('a reload keeps history, branch, duration and place', async () => {
    await ask('How many r are in strawberry?')
    const title = (await page.getByRole('button', { name: /^Thought for/ }).textContent()) ?? ''
    await page.keyboard.press('Control+Shift+O')
    await ask('What is 47 * 36?')
    await expectSaved(page, 4)
    await page.reload()
    await page.getByText('1692').last().waitFor()
    await page.getByRole('navigation').getByText('strawberry').click()
    await page.getByText(title).waitFor()
    expect(await page.title()).toBe('How many r are in strawberry? · Hadal')
    await page.goBack()
    await page.getByText('1692').last().waitFor()
  })

  test('search, rename, export, delete with undo, clear', async () => {
    await ask('How many r are in strawberry?')
    await page.keyboard.press('Control+Shift+O')
    await ask('What is 47 * 36?')
    await page.keyboard.press('Control+k')
    await page.getByLabel('Search chats').last().fill('position')
    await page.getByRole('option').getByText('strawberry').first().waitFor()
    await expect.poll(() => page.getByRole('option').count()).toBe(1)
    await page.keyboard.press('Enter')
    await page.getByText('There are').waitFor()
    await button('Actions for “How many r are in strawberry?”').click()
    await page.getByRole('menuitem', { name: 'Rename' }).click()
    await page.getByLabel('Title').fill('Berries')
    await page.keyboard.press('Enter')
    await page.getByRole('heading', { name: 'Berries' }).waitFor()
    await button('Actions for “Berries”').click()
    const saved = page.waitForEvent('download')
    await page.getByRole('menuitem', { name: 'Export as JSON' }).click()
    const file = await (await saved).path()
    expect(JSON.parse(readFileSync(file, 'utf8')).chats[0].messages).toHaveLength(2)
    await button('Settings').click()
    await page.getByRole('tab', { name: 'Data' }).click()
    await button('Delete all').click()
    await button('Delete all').last().click()
    await page.getByText('Your chats will be listed here').waitFor()
    await button('Settings').click()
    await page.getByRole('tab', { name: 'Data' }).click()
    await page.getByLabel('Import chats').setInputFiles(file)
    await page.getByText('1 chat imported').waitFor()
    await page.keyboard.press('Escape')
    await page.getByRole('navigation').getByText('Berries').click()
    await page.getByText('There are').waitFor()
  })

  test('settings reach the request and survive a reload; dark is dark', async () => {
    await button('Settings').click()
    await page.getByRole('button', { name: 'Dark' }).click()
    await page.getByRole('tab', { name: 'Answers' }).click()
    await page.getByRole('textbox', { name: 'Temperature' }).fill('0.6')
    await page.getByRole('textbox', { name: 'Most tokens' }).fill('512')
    await page.getByLabel('System prompt').fill('Be brief.')
    await page.keyboard.press('Escape')
    await page.getByRole('button', { name: /^Thinking budget/ }).click()
    await page.getByRole('menuitemradio', { name: '128 tokens' }).click()
    await page.reload()
    const background = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor)
    expect(await background()).toBe('rgb(7, 19, 27)')
    await ask('What is 47 * 36?')
    expect(mock.requests[0]).toMatchObject({
      temperature: 0.6,
      max_tokens: 512,
      max_reasoning_tokens: 128,
      thinking: { type: 'enabled' },
      messages: [{ role: 'system', content: 'Be brief.' }, { role: 'user' }],
    })
    await button('Think before answering').click()
    await ask('What is 47 * 36?')
    expect(mock.requests[1]?.thinking).toEqual({ type: 'disabled' })
    await open({ colorScheme: 'dark' })
    expect(await background()).toBe('rgb(7, 19, 27)')
  })

  test('a full queue is waited out; an error and a cut keep what came', async () => {
    mock.state.busy = { times: 1, status: 429, retryAfter: 30 }
    await asked('What is 47 * 36?')
    await page.getByText('12 requests are waiting').waitFor()
    await page.getByText(/Trying again in (30|29|28) s/).waitFor()
    await button('Try now').click()
    await page.getByText('1692').first().waitFor()
    await idle()
    await ask('break the stream')
    await page.getByText('Out of KV memory at token 30').waitFor()
    await page.keyboard.press('Control+Shift+O')
    await ask('drop the line')
    await page.getByText('The connection to the server was lost.').waitFor()
    await button('Continue').waitFor()
    await page.keyboard.press('Control+Shift+O')
    await ask('cut me')
    await page.getByText('Cut at the token limit').waitFor()
    await answered(() => button('Continue').click())
    await page.getByText('and now it is whole').waitFor()
  })

  test('loading shows its progress, a lost server is found again, a key is asked for', async () => {
    mock.state.health = { status: 'loading', progress: { stage: 'experts', done: 37, total: 100 } }
    await open()
    await page.getByText('Loading the model: experts').waitFor()
    await page.getByText('37 %').waitFor()
    mock.state.health = { status: 'failed', error: 'the model could not be loaded' }
    await page.getByText('The model could not be loaded.').waitFor()
    mock.state.key = 'secret'
    mock.state.health = { status: 'ok' }
    await page.evaluate(() => window.dispatchEvent(new Event('online')))
    await page.getByRole('dialog').getByLabel('Key').fill('wrong')
    await button('Use this key').click()
    await page.getByText('did not accept the key').waitFor()
    await page.getByRole('dialog').getByLabel('Key').fill('secret')
    await button('Use this key').click()
    await page.getByPlaceholder('Ask deepseek-r1-nano anything').waitFor()
    await ask('What is 47 * 36?')
    await page.getByText('1692').first().waitFor()
    const port = Number(new URL(mock.url).port)
    await mock.close()
    await page.evaluate(() => window.dispatchEvent(new Event('online')))
    await page.getByText('No connection to the server.').waitFor()
    mock = await startMock(port)
    await button('Try now').click()
    await page.getByText('No connection to the server.').waitFor({ state: 'detached' })
  })

  test('the shell opens without a server, and no answer is ever kept by the worker', async () => {
    await page.evaluate(() => navigator.serviceWorker.ready)
    await ask('What is 47 * 36?')
    const kept = await page.evaluate(async () => {
      const names = await caches.keys()
      const lists = await Promise.all(names.map(async (name) => (await caches.open(name)).keys()))
      return lists.flat().map((request) => new URL(request.url).pathname)
    })
    expect(kept.length).toBeGreaterThan(5)
    expect(kept.filter((path) => /^\/(v1|health)/.test(path))).toEqual([])
    const port = Number(new URL(mock.url).port)
    await mock.close()
    await page.reload()
    await page.getByText('1692').last().waitFor()
    await page.getByText('No connection to the server.').waitFor()
    mock = await startMock(port)
  })

  test('a long answer: no layout shift, the reader is followed only at the end', async () => {
    await page.evaluate(() => {
      const record = window as unknown as { shift: number }
      record.shift = 0
      new PerformanceObserver((list) => {
        for (const entry of list.getEntries())
          record.shift += (entry as unknown as { value: number }).value
      }).observe({ type: 'layout-shift', buffered: true })
    })
    await asked('a long answer, please')
    const scroller = page.locator('.scroller')
    const gap = () =>
      scroller.evaluate((e) => Math.round(e.scrollHeight - e.scrollTop - e.clientHeight))
    await page.getByText('Section 20.').waitFor()
    await expect.poll(gap).toBeLessThan(60)
    await scroller.hover()
    const place = () => scroller.evaluate((e) => e.scrollTop)
    const before = await place()
    // Once more where the page, still following, scrolled back in the same moment.
    const wheel = async () => {
      await page.mouse.wheel(0, -600)
      await page.waitForTimeout(100)
      return place()
    }
    await expect.poll(wheel).toBeLessThan(before - 300)
    let top = Number.NaN
    for (let now = await place(); now !== top; now = await place()) {
      top = now
      await page.waitForTimeout(200)
    }
    await idle()
    expect(Math.abs((await place()) - top)).toBeLessThan(2)
    await button('To the newest').click()
    await expect.poll(gap).toBeLessThan(30)
    expect(await page.evaluate(() => (window as unknown as { shift: number }).shift)).toBeLessThan(
      0.1,
    )
    expect(await page.locator('.katex').count()).toBeGreaterThan(100)
  })

  test('formulas, code with copy, an external picture as a placeholder', async () => {
    await watched.context.grantPermissions(['clipboard-read', 'clipboard-write'])
    await ask('How does light fade in the sea?')
    await page.locator('.katex-display').waitFor()
    expect(await page.locator('.katex').count()).toBe(6)
    await page.locator('.hljs-keyword').first().waitFor()
    await button('Copy code').click()
    await button('Copied').waitFor()
    expect(await page.evaluate(() => navigator.clipboard.readText())).toContain('Math.exp(-k')
    mock.state.script = {
      answer: '![chart](https://example.org/c.png) [site](https://example.org)',
    }
    await ask('picture')
    const link = page.getByRole('link', { name: 'Open from example.org' })
    expect(await link.getAttribute('rel')).toBe('noreferrer noopener nofollow')
    expect(await page.locator('.messages img').count()).toBe(0)
  })

  test('keyboard alone: sidebar, search, send, new line, stop', async () => {
    await input().focus()
    await page.keyboard.type('What is')
    await page.keyboard.press('Shift+Enter')
    await page.keyboard.type('47 * 36?')
    await answered(() => page.keyboard.press('Enter'))
    expect(mock.requests[0]?.messages[0]?.content).toBe('What is\n47 * 36?')
    await page.keyboard.press('Control+b')
    await page.locator('aside').waitFor({ state: 'detached' })
    await page.keyboard.press('Control+b')
    await page.locator('aside').waitFor()
    await page.keyboard.press('Control+k')
    await page.getByRole('dialog', { name: 'Search chats' }).waitFor()
    await page.keyboard.press('Escape')
    await page.getByRole('dialog', { name: 'Search chats' }).waitFor({ state: 'detached' })
    await page.keyboard.press('Control+Shift+O')
    await page.getByRole('heading', { name: 'What shall we look into?' }).waitFor()
    await expect
      .poll(() => page.evaluate(() => document.activeElement?.getAttribute('aria-label')))
      .toBe('Your question')
  })

  test('a phone: drawer, large targets, Enter makes a line, nothing overflows', async () => {
    await open({
      viewport: { width: 360, height: 740 },
      isMobile: true,
      hasTouch: true,
      deviceScaleFactor: 2,
    })
    await input().tap()
    await page.keyboard.type('How does light')
    await page.keyboard.press('Enter')
    await page.keyboard.type('fade in the sea?')
    expect(mock.requests).toHaveLength(0)
    await answered(() => button('Send').tap())
    const wide = await page.evaluate(
      () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
    )
    expect(wide).toBeLessThanOrEqual(0)
    const small = await page.evaluate(() =>
      [...document.querySelectorAll('button, [role=tab], [role=switch]')]
        .map(
          (element) =>
            [
              element.getAttribute('aria-label') ?? element.textContent,
              element.getBoundingClientRect(),
            ] as const,
        )
        .filter(([, box]) => box.width > 0 && box.height < 43.5)
        .map(([name, box]) => `${name} ${box.height}`),
    )
    expect(small).toEqual([])
    await button('Open sidebar').tap()
    await page.getByRole('navigation').getByText('How does light').waitFor()
    await button('New chat').last().tap()
    await page.getByRole('heading', { name: 'What shall we look into?' }).waitFor()
  })

  test('axe finds nothing: empty, thinking, answered, settings, search', async () => {
    const source = readFileSync(
      createRequire(import.meta.url).resolve('axe-core/axe.min.js'),
      'utf8',
    )
    const check = async (where: string) => {
      // Trusted types forbid adding a script element; the debugger may still evaluate one.
      if (!(await page.evaluate('"axe" in window'))) await page.evaluate(source)
      const found = (await page.evaluate(
        `axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21aa', 'wcag22aa', 'best-practice'] })`,
      )) as { violations: { id: string; nodes: { html: string }[] }[] }
      const list = found.violations.map(({ id, nodes }) => `${id}: ${nodes[0]?.html.slice(0, 160)}`)
      expect(list, where).toEqual([])
    }
    for (const colorScheme of ['light', 'dark'] as const) {
      await open({ colorScheme })
      await check(`${colorScheme} empty`)
      await asked('slow strawberry')
      await page.locator('.thinking-title').waitFor()
      await check(`${colorScheme} thinking`)
      mock.state.speed = 40
      await button('Stop').click()
      await ask('How does light fade in the sea?')
      await page.locator('.hljs-keyword').first().waitFor()
      await check(`${colorScheme} answered`)
      await button('Settings').click()
      await page.getByRole('tab', { name: 'Answers' }).click()
      await check(`${colorScheme} settings`)
      await page.keyboard.press('Escape')
      await page.getByRole('dialog').waitFor({ state: 'detached' })
      await page.keyboard.press('Control+k')
      await page.getByRole('option').first().waitFor()
      await check(`${colorScheme} search`)
      mock.state.speed = 1
    }
  })
})
