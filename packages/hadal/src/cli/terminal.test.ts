import { afterEach, describe, expect, it, vi } from 'vitest'
import { bytes, count, dim, duration, harmless } from './terminal.ts'

const terminal = { isTTY: true } as NodeJS.WriteStream
const pipe = { isTTY: false } as NodeJS.WriteStream

describe('what a model wrote', () => {
  const text = 'a\tb\n\u001b]0;owned\u0007\u001b[2J\r\u009b1A é 漢'
  it('cannot drive the terminal', () => {
    expect(harmless(text, terminal)).toBe('a\tb\n␛]0;owned␇␛[2J␍\ufffd1A é 漢')
  })
  it('goes into a pipe as it is', () => expect(harmless(text, pipe)).toBe(text))
})

describe('colours', () => {
  afterEach(() => vi.unstubAllEnvs())
  it.each([
    [terminal, {}, true],
    [pipe, {}, false],
    [terminal, { NO_COLOR: '1' }, false],
    [terminal, { NO_COLOR: '1', FORCE_COLOR: '1' }, false],
    [terminal, { TERM: 'dumb' }, false],
    [pipe, { FORCE_COLOR: '1' }, true],
  ])('%j with %j: %s', (stream, env, wanted) => {
    for (const name of ['NO_COLOR', 'FORCE_COLOR']) vi.stubEnv(name, undefined)
    vi.stubEnv('TERM', 'xterm')
    for (const [name, value] of Object.entries(env)) vi.stubEnv(name, value)
    expect(dim('x', stream) !== 'x').toBe(wanted)
  })
})

describe('numbers for people', () => {
  it.each([
    [bytes(0), '0 B'],
    [bytes(999), '999 B'],
    [bytes(688.6e9), '688.6 GB'],
    [count(671.026e9), '671.0 B'],
    [count(3_479_456), '3.48 M'],
    [duration(42.4), '42 ms'],
    [duration(3200), '3.2 s'],
    [duration(80_000), '1 min 20 s'],
  ])('%s', (got, wanted) => expect(got).toBe(wanted))
})
