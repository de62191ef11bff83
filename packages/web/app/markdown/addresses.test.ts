import { expect, test } from 'vitest'
import { inlineImage, safeLink } from './addresses.ts'

test.each([
  ['https://example.org/a?b#c', 'https://example.org/a?b#c'],
  ['HTTP://EXAMPLE.org', 'http://example.org/'],
  ['mailto:a@b.c', 'mailto:a@b.c'],
  ['javascript:alert(1)', undefined],
  [' \u0001javascript:alert(1)', undefined],
  ['java\nscript:alert(1)', undefined],
  ['vbscript:x', undefined],
  ['data:text/html,<script>', undefined],
  ['blob:https://example.org/1', undefined],
  ['file:///etc/passwd', undefined],
  ['//evil.test/x', undefined],
  ['/v1/models', undefined],
  ['#top', undefined],
  ['https://bank.test@evil.test/', undefined],
  ['', undefined],
])('link %j', (address, expected) => expect(safeLink(address)).toBe(expected))

test.each([
  ['data:image/png;base64,iVBORw0KGgo=', true],
  ['data:image/svg+xml;base64,PHN2Zz4=', false],
  ['data:image/png,<svg>', false],
  ['https://example.org/a.png', false],
  ['/icon.svg', false],
])('image %j', (address, shown) => expect(inlineImage(address) !== undefined).toBe(shown))
