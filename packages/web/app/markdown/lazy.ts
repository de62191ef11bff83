// KaTeX and the highlighter come in chunks of their own, fetched once the page is idle: the first paint does
// not wait for them. Until one is there, formulas and code are shown as their source.
import type { Root } from 'hast'
import { useEffect, useState } from 'react'

export type RenderFormula = (tex: string, element: HTMLElement, display: boolean) => void
export type Highlight = (code: string, language: string) => Root | undefined

interface Lazy<T> {
  value: T | undefined
  load(): Promise<T>
}

function lazy<T>(get: () => Promise<T>): Lazy<T> {
  let pending: Promise<T> | undefined
  const self: Lazy<T> = {
    value: undefined,
    load() {
      pending ??= get().then((value) => {
        self.value = value
        return value
      })
      // A failed fetch (the server is down) is tried again at the next formula.
      pending.catch(() => {
        pending = undefined
      })
      return pending
    },
  }
  return self
}

export const formulas: Lazy<RenderFormula> = lazy(async () => (await import('./katex.ts')).render)
export const highlighter: Lazy<Highlight> = lazy(
  async () => (await import('./highlight.ts')).highlight,
)

export function useLazy<T>(part: Lazy<T>): T | undefined {
  const [value, setValue] = useState(() => part.value)
  useEffect(() => {
    let gone = false
    // In a function: React would call a bare function value.
    part.load().then(
      (loaded) => {
        if (!gone) setValue(() => loaded)
      },
      () => {},
    )
    return () => {
      gone = true
    }
  }, [part])
  return value
}

export function loadWhenIdle(): void {
  const work = () => {
    formulas.load().catch(() => {})
    highlighter.load().catch(() => {})
  }
  if ('requestIdleCallback' in window) window.requestIdleCallback(work, { timeout: 3000 })
  else setTimeout(work, 500)
}
