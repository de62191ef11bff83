// Syntax highlighting to a tree of class names (no styles, no HTML text).
import type { Root } from 'hast'
import { common, createLowlight } from 'lowlight'

const lowlight = createLowlight(common)

/** undefined: not a language we know. Long code stays plain, so that a huge answer cannot stall the page. */
export function highlight(code: string, language: string): Root | undefined {
  if (code.length > 60_000 || !lowlight.registered(language)) return undefined
  return lowlight.highlight(language, code)
}
