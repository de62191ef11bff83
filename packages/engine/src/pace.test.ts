import { describe, expect, it } from 'vitest'
import { Pace } from './pace.ts'

/** Feeds the pace a machine with these costs until it settles; returns the last step's time. */
function settle(pace: Pace, cost: (read: number) => number, decoders = 4): number {
  let ms = 0
  for (let i = 0; i < 60; i++) {
    pace.record(0, decoders, cost(0))
    const read = pace.budget(decoders)
    ms = cost(read)
    pace.record(read, decoders, ms)
  }
  return ms
}

describe('the pace', () => {
  it('reads as much as a step holds when nobody decodes', () => {
    const pace = new Pace(10, 256)
    pace.record(256, 0, 5000)
    expect(pace.budget(0)).toBe(256)
  })

  it('settles near the limit, whether reading costs by the id or with a fixed part', () => {
    expect(settle(new Pace(200, 256), (read) => 20 + read * 2)).toBeGreaterThan(150)
    expect(settle(new Pace(200, 256), (read) => 20 + read * 2)).toBeLessThanOrEqual(205)
    const bent = (read: number) => 20 + (read > 0 ? 60 : 0) + read
    expect(settle(new Pace(200, 256), bent)).toBeGreaterThan(150)
    expect(settle(new Pace(200, 256), bent)).toBeLessThanOrEqual(205)
  })

  it('uses the whole step on a fast machine', () => {
    const pace = new Pace(200, 256)
    settle(pace, (read) => 1 + read * 0.1)
    expect(pace.budget(4)).toBe(252)
  })

  it('at most doubles a step that is slower than the limit by itself', () => {
    expect(settle(new Pace(200, 256), (read) => 500 + read * 10)).toBeLessThanOrEqual(1000)
  })

  it('always lets some be read, and some before anything is known', () => {
    const pace = new Pace(50, 256)
    expect(pace.budget(3)).toBe(64)
    settle(pace, (read) => 20 + read * 100)
    expect(pace.budget(3)).toBe(16)
    expect(new Pace(50, 8).budget(3)).toBe(5)
    expect(new Pace(Number.POSITIVE_INFINITY, 256).budget(3)).toBe(253)
  })
})
