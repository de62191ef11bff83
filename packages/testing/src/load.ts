// What a test may say of time on a machine that has other things to do: CPU time of its own process, and the best of a
// few tries. Anything finer is for bench/.

/** Begins to count; the function says the milliseconds of CPU that this process has used since. */
export function watchCpu(): () => number {
  const began = process.cpuUsage()
  return () => {
    const { user, system } = process.cpuUsage(began)
    return (user + system) / 1000
  }
}

/** Milliseconds of the quickest of `tries` tries; stops at the first that takes less than `enough`. */
export async function bestOf(
  tries: number,
  enough: number,
  attempt: () => Promise<number>,
): Promise<number> {
  let best = Number.POSITIVE_INFINITY
  for (let i = 0; i < tries && best >= enough; i++) best = Math.min(best, await attempt())
  return best
}
