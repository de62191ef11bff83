// When requests leave. Open loop: each at its own time, whatever became of those before it. Closed loop: a fixed number
// at once. `dueAt` is the intended time, and every latency counts from it: a request that left late, because this
// process was busy, was late for its user too (no coordinated omission).

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms))

/** `schedule`: milliseconds from now; `send(i)` gives a result. Returns [{ dueAt, …result }] in order. */
export async function openLoop(schedule, send) {
  const startedAt = performance.now()
  const running = []
  for (const [i, offset] of schedule.entries()) {
    const dueAt = startedAt + offset
    const wait = dueAt - performance.now()
    if (wait > 0) await sleep(wait)
    running.push(send(i).then((result) => ({ dueAt, ...result })))
  }
  return Promise.all(running)
}

/** As many at once as `concurrency`; a request is due when a place becomes free. */
export async function closedLoop(count, concurrency, send) {
  const results = new Array(count)
  let next = 0
  const worker = async () => {
    while (next < count) {
      const i = next++
      const dueAt = performance.now()
      results[i] = { dueAt, ...(await send(i)) }
    }
  }
  await Promise.all(Array.from({ length: Math.min(concurrency, count) }, worker))
  return results
}
