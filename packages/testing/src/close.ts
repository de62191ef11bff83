// Comparison of arrays: finiteness first, then the relative Frobenius distance.

/** ‖got − expected‖ / ‖expected‖; NaN or a length mismatch gives Infinity. */
export function relativeError(got: ArrayLike<number>, expected: ArrayLike<number>): number {
  if (got.length !== expected.length) return Number.POSITIVE_INFINITY
  let difference = 0
  let norm = 0
  for (let i = 0; i < expected.length; i++) {
    const [g, e] = [got[i] as number, expected[i] as number]
    if (!Number.isFinite(g)) return Number.POSITIVE_INFINITY
    difference += (g - e) ** 2
    norm += e * e
  }
  return norm === 0 ? Math.sqrt(difference) : Math.sqrt(difference / norm)
}

/** Throws with the distance and the worst coordinate when the arrays lie further apart than `tolerance`. */
export function expectClose(
  got: ArrayLike<number>,
  expected: ArrayLike<number>,
  tolerance: number,
  what: string,
): void {
  const error = relativeError(got, expected)
  if (error <= tolerance) return
  let worst = 0
  for (let i = 0; i < Math.min(got.length, expected.length); i++) {
    const gap = (k: number) => Math.abs((got[k] as number) - (expected[k] as number))
    if (!(gap(i) <= gap(worst))) worst = i
  }
  throw new Error(
    `${what}: expected within ${tolerance}, got ${error} (lengths ${got.length}, ${expected.length}; worst at ${worst}: ${got[worst]} for ${expected[worst]})`,
  )
}

/** Index of the largest value; the lowest wins a tie. */
export function argmax(values: ArrayLike<number>, begin = 0, end: number = values.length): number {
  let best = begin
  for (let i = begin + 1; i < end; i++)
    if ((values[i] as number) > (values[best] as number)) best = i
  return best - begin
}
