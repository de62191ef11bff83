// A corpus of hostile answers against the built page in a real browser, with the policy that the server sends
// and without it: the page itself must already be safe, the policy is the second wall.
import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { browserPath, launchBrowser, openPage, type Watched } from './browser.ts'
import { hostileAnswers } from './hostile-answers.ts'
import { type Mock, startMock } from './mock/server.ts'

let browser: Browser
let mock: Mock

describe.skipIf(!browserPath)('hostile answers', () => {
  beforeAll(async () => {
    mock = await startMock()
    browser = await launchBrowser()
  })
  afterAll(async () => {
    await browser?.close()
    await mock?.close()
  })

  /** Answers all of them in one chat, as thinking and as answer. */
  async function showAll({ page }: Watched) {
    const input = page.getByLabel('Your question')
    for (const [name, answer] of hostileAnswers) {
      mock.state.script = { thinking: answer, answer, rate: 4000, thinkingRate: 4000 }
      await input.fill(name)
      const before = mock.requests.length
      await page.getByRole('button', { name: 'Send', exact: true }).click()
      // "Send" is still there for a moment after the click.
      await expect.poll(() => mock.requests.length).toBeGreaterThan(before)
      await page.getByRole('button', { name: 'Send', exact: true }).waitFor()
    }
    await page.getByText('Thought for').first().waitFor()
  }

  async function expectHarmless(watched: Watched, pathsBefore: number) {
    const { page, outside } = watched
    expect(outside).toEqual([])
    expect(await page.evaluate('window.hacked')).toBeUndefined()
    expect(page.url().startsWith(mock.url)).toBe(true)
    const asked = new Set(mock.paths.slice(pathsBefore))
    for (const path of asked)
      expect(path).toMatch(/^\/($|health$|assets\/|v1\/chat\/completions$|v1\/models$|[\w.-]+$)/)
    expect(asked.has('/metrics')).toBe(false)
    const counts = await page.evaluate(() => {
      const here = document.querySelectorAll('.messages *')
      const attributes = [...here].flatMap((element) => element.getAttributeNames())
      const links = [...document.querySelectorAll('.messages a')].map((a) => a.getAttribute('href'))
      return {
        bad: document.querySelectorAll(
          '.messages :is(script,iframe,object,embed,video,audio,form,link,meta,base,style,template,image,use)',
        ).length,
        handlers: attributes.filter((name) => name.startsWith('on')).length,
        images: [...document.querySelectorAll('.messages img')].length,
        links: links.filter((href) => !/^(https?|mailto):/.test(href ?? '')).length,
        open: document.querySelectorAll('.messages a:not([rel*=noreferrer][rel*=noopener])').length,
      }
    })
    expect(counts).toEqual({ bad: 0, handlers: 0, images: 0, links: 0, open: 0 })
  }

  test(`${hostileAnswers.length} answers make no outside request and run no script`, async () => {
    expect(hostileAnswers.length).toBeGreaterThanOrEqual(25)
    const watched = await openPage(browser, mock.url)
    const before = mock.paths.length
    await showAll(watched)
    await expectHarmless(watched, before)
    // Not even a violation of the policy: nothing was tried.
    expect(watched.problems).toEqual([])
    await watched.page.reload()
    await watched.page.getByText('Thought for').first().waitFor()
    await expectHarmless(watched, before)
    await watched.context.close()
  }, 240_000)

  test('the page is as harmless without the policy', async () => {
    const watched = await openPage(browser, mock.url, { bypassCSP: true })
    const before = mock.paths.length
    await showAll(watched)
    await expectHarmless(watched, before)
    await watched.context.close()
  }, 240_000)

  test('the policy stops what a hole in the page would let through', async () => {
    const { page, outside, context } = await openPage(browser, mock.url)
    // Requests that the policy refuses are still announced to the test; what counts is that they fail.
    const failed: string[] = []
    context.on('requestfailed', (request) => failed.push(request.url()))
    const ran = await page.evaluate(async () => {
      const results: string[] = []
      const image = new Image()
      image.src = 'https://evil.test/direct.png'
      try {
        document.body.insertAdjacentHTML('beforeend', '<img src=x onerror="window.hacked=1">')
        results.push('html')
      } catch {}
      try {
        await fetch('https://evil.test/fetch')
        results.push('fetch')
      } catch {}
      // A direct eval would run here: the debugger that runs this test is above the policy.
      try {
        setTimeout('window.hacked = 1' as unknown as () => void)
      } catch {}
      await new Promise((resolve) => setTimeout(resolve, 50))
      const style = document.createElement('style')
      style.textContent = 'body { --hole: 1 }'
      document.head.append(style)
      if (getComputedStyle(document.body).getPropertyValue('--hole')) results.push('style')
      return results
    })
    expect(ran).toEqual([])
    expect(await page.evaluate('window.hacked')).toBeUndefined()
    expect(outside.filter((address) => !failed.includes(address))).toEqual([])
    await context.close()
  })
})
