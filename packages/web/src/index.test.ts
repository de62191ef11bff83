import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import path from 'node:path'
import { expect, test } from 'vitest'
import { contentSecurityPolicy, pageHeaders, pagePath } from './index.ts'

const built = existsSync(path.join(pagePath, 'index.html'))

test('the policy has no hole for inline code, eval or other origins', () => {
  expect(contentSecurityPolicy).not.toMatch(/unsafe|\*|https?:|blob:|wss?:/)
  expect(contentSecurityPolicy.split('; ')[0]).toBe("default-src 'none'")
  for (const directive of ['base-uri', 'form-action', 'frame-ancestors'])
    expect(contentSecurityPolicy).toContain(`${directive} 'none'`)
  expect(contentSecurityPolicy).toContain("require-trusted-types-for 'script'")
})

test('files with a digest in their name are kept for ever, others never without asking', () => {
  expect(pageHeaders('assets/index-1.js')).toMatchObject({
    'Content-Type': 'text/javascript; charset=utf-8',
    'Cache-Control': 'public, max-age=31536000, immutable',
    'X-Content-Type-Options': 'nosniff',
  })
  expect(pageHeaders('index.html')['Cache-Control']).toBe('no-cache')
  expect(pageHeaders('sw.js')['Cache-Control']).toBe('no-cache')
  expect(pageHeaders('strange.bin')['Content-Type']).toBe('application/octet-stream')
  expect(pageHeaders('index.html')['Content-Security-Policy']).toBe(contentSecurityPolicy)
})

test.skipIf(!built)('the built page holds no inline code and names no other origin', () => {
  const html = readFileSync(path.join(pagePath, 'index.html'), 'utf8')
  expect(html).not.toMatch(/<style|style=|\son\w+=|<script(?![^>]*\ssrc=)/)
  expect(html).not.toMatch(/https?:\/\//)
  const names = readdirSync(pagePath, { recursive: true }) as string[]
  const files = names.filter((name) => statSync(path.join(pagePath, name)).isFile())
  expect(files).toContain('sw.js')
  for (const file of files.filter((name) => name.endsWith('.css')))
    expect(readFileSync(path.join(pagePath, file), 'utf8')).not.toMatch(
      /url\(["']?(?:https?:)?\/\//,
    )
  for (const file of files) expect(pageHeaders(file)['Content-Type']).not.toMatch(/octet/)
  const worker = readFileSync(path.join(pagePath, 'sw.js'), 'utf8')
  for (const file of files.filter((name) => name.startsWith('assets/')))
    expect(worker).toContain(`'/${file}'`)
})

test.skipIf(!built)(
  'the manifest names icons that exist, in the sizes that installing asks for',
  () => {
    const manifest = JSON.parse(readFileSync(path.join(pagePath, 'manifest.webmanifest'), 'utf8'))
    const icons = manifest.icons as { src: string; sizes: string; purpose: string }[]
    for (const { src } of icons) expect(existsSync(path.join(pagePath, src))).toBe(true)
    expect(icons.map(({ sizes }) => sizes)).toEqual(expect.arrayContaining(['192x192', '512x512']))
    expect(icons.some(({ purpose }) => purpose === 'maskable')).toBe(true)
    expect(manifest).toMatchObject({ start_url: '/', display: 'standalone' })
  },
)

test.skipIf(!built)(
  'the page is small: under 1.9 MB in all, 0.76 MB before the first paint',
  () => {
    const assets = path.join(pagePath, 'assets')
    const size = (file: string) => statSync(path.join(assets, file)).size
    const files = readdirSync(assets)
    const first = files.filter((file) => /^index-/.test(file))
    expect(first.reduce((sum, file) => sum + size(file), 0)).toBeLessThan(760_000)
    expect(files.reduce((sum, file) => sum + size(file), 0)).toBeLessThan(1_900_000)
  },
)
