// When a message need not be drawn again: while one answer grows, all others stay as they are.
import type { Run } from '../chat/store.ts'
import type { Message } from '../chat/types.ts'

interface Props {
  message: Message
  siblings: readonly string[]
  isLast: boolean
  run?: Run | undefined
}

export function sameMessage(a: Props, b: Props): boolean {
  return (
    a.message === b.message &&
    a.isLast === b.isLast &&
    a.run === b.run &&
    a.siblings.length === b.siblings.length &&
    a.siblings.every((id, index) => id === b.siblings[index])
  )
}
