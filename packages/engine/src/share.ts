// The scheduling rule of one step: who takes part, and with how many ids. Pure: it reads requests and
// writes `request.share` alone.
import type { Request } from './request.ts'

/**
 * Every request that decodes gets its one id. `budget` ids are left for those that read: the first in
 * line may have half of them, so that nobody starves; the rest goes to the others by priority and,
 * within one, to who has least to read, so that a short prompt is not stuck behind a long one; what
 * is left then, to the first again. Of several that are about to read the same block, one reads it,
 * in the place of the first of them; the others wait and share it.
 *
 * `running`: in line. Returns the sum of the shares.
 */
export function shareTokens(
  running: readonly Request[],
  budget: number,
  blockSize: number,
): number {
  let total = 0
  const reading: Request[] = []
  for (const request of running) {
    request.share = request.pending === 1 ? 1 : 0
    total += request.share
    if (request.share === 0) reading.push(request)
  }
  if (reading.length === 0 || budget <= 0) return total
  const [head, ...others] = oneForEachBlock(reading, blockSize) as [Reader, ...Reader[]]
  let left = budget
  const give = ({ request }: Reader, most: number) => {
    const count = Math.min(request.pending - request.share, most, left)
    request.share += count
    left -= count
  }
  give(head, others.length > 0 ? Math.ceil(budget / 2) : budget)
  others.sort((a, b) => b.priority - a.priority || a.request.pending - b.request.pending)
  for (const reader of others) give(reader, left)
  give(head, left)
  return total + budget - left
}

interface Reader {
  request: Request
  /** Of the first in line of those that it reads for. */
  readonly priority: number
}

/** Of those whose next block is the same, the one that got furthest in it. */
function oneForEachBlock(reading: readonly Request[], blockSize: number): Reader[] {
  const readers: Reader[] = []
  const byKey = new Map<number, Reader>()
  for (const request of reading) {
    const key = request.table.keyAt(Math.floor(request.computed / blockSize), request.ids)
    const known = key === undefined ? undefined : byKey.get(key)
    if (known) {
      if (request.computed > known.request.computed) known.request = request
      continue
    }
    const reader = { request, priority: request.priority }
    if (key !== undefined) byKey.set(key, reader)
    readers.push(reader)
  }
  return readers
}
