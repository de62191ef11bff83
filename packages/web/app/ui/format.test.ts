import { expect, test } from 'vitest'
import { ageGroup, clock, money, shortCount, shortDuration, spokenDuration } from './format.ts'

test.each([
  [0, 'less than a second'],
  [999, 'less than a second'],
  [1000, '1 second'],
  [12_400, '12 seconds'],
  [59_700, '1 minute'],
  [80_000, '1 minute 20 seconds'],
  [3_600_000, '1 hour'],
  [7_500_000, '2 hours 5 minutes'],
])('%i ms', (ms, text) => expect(spokenDuration(ms)).toBe(text))

test('short forms', () => {
  expect(clock(-5)).toBe('0.0 s')
  expect(clock(3240)).toBe('3.2 s')
  expect(clock(80_000)).toBe('1:20')
  expect(shortCount(950)).toBe('950')
  expect(shortCount(2048)).toBe('2k')
  expect(shortCount(163_840)).toBe('164k')
  expect(shortDuration(84.4)).toBe('84 ms')
  expect(shortDuration(1500)).toBe('1.50 s')
})

test('money keeps two digits that mean something', () => {
  expect(money(1.5, 'USD')).toBe('$1.50')
  expect(money(0.00042, 'USD')).toBe('$0.00042')
  expect(money(0, 'EUR')).toBe('€0.00')
  expect(money(2, 'not a currency')).toBe('2.00 not a currency')
})

test('groups of age', () => {
  const now = new Date(2026, 5, 15, 10).getTime()
  const day = 86_400_000
  expect(ageGroup(now - 3_600_000, now)).toBe('Today')
  expect(ageGroup(now - day, now)).toBe('Yesterday')
  expect(ageGroup(now - 5 * day, now)).toBe('Last 7 days')
  expect(ageGroup(now - 20 * day, now)).toBe('Last 30 days')
  expect(ageGroup(now - 90 * day, now)).toBe('Older')
})
