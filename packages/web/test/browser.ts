// Debian's Chromium for the page's tests and pictures. It runs without any network but loopback: the flags
// switch off what a browser asks on its own, so that every request a test sees is the page's.
import { existsSync } from 'node:fs'
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core'
import { expect } from 'vitest'

const places = [
  process.env.CHROME_PATH,
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
]

export const browserPath: string | undefined = places.find((place) => place && existsSync(place))

export async function launchBrowser(env: Record<string, string> = {}): Promise<Browser> {
  if (!browserPath) throw new Error('Chromium is not installed: apt-get install chromium')
  return chromium.launch({
    executablePath: browserPath,
    env: { ...(process.env as Record<string, string>), ...env },
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
      '--disable-dev-shm-usage',
    ],
  })
}

export interface Watched {
  context: BrowserContext
  page: Page
  /** Requests to any origin but the page's. */
  outside: string[]
  /** Errors and policy violations that the console showed. */
  problems: string[]
}

type ContextOptions = Parameters<Browser['newContext']>[0]

/** A fresh profile with the page open, and a record of what it must not do. */
export async function openPage(
  browser: Browser,
  url: string,
  options: ContextOptions = {},
): Promise<Watched> {
  const context = await browser.newContext({
    viewport: { width: 1280, height: 800 },
    colorScheme: 'light',
    reducedMotion: 'reduce',
    ...options,
  })
  const outside: string[] = []
  const problems: string[] = []
  context.on('request', (request) => {
    const address = request.url()
    if (!address.startsWith(url) && !address.startsWith('data:') && !address.startsWith('blob:'))
      outside.push(address)
  })
  const page = await context.newPage()
  page.on('pageerror', (error) => problems.push(String(error)))
  page.on('console', (message) => {
    if (message.type() === 'error') problems.push(message.text())
  })
  await page.goto(url)
  return { context, page, outside, problems }
}

/** Waits until the browser has written so many whole messages: what a reload may count on. */
export async function expectSaved(page: Page, messages: number): Promise<void> {
  const whole = () =>
    page.evaluate(async () => {
      const get = <T>(request: IDBRequest<T>) =>
        new Promise<T>((resolve, reject) => {
          request.onsuccess = () => resolve(request.result)
          request.onerror = () => reject(request.error)
        })
      const db = await get(indexedDB.open('hadal'))
      const all = await get(db.transaction('messages').objectStore('messages').getAll())
      db.close()
      return all.filter(({ outcome }) => outcome?.type !== 'streaming').length
    })
  await expect.poll(whole, { timeout: 20_000 }).toBe(messages)
}
