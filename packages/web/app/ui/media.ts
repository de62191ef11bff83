// What kind of screen this is.
import { useSyncExternalStore } from 'react'

function useMedia(query: string): boolean {
  return useSyncExternalStore(
    (changed) => {
      const list = window.matchMedia(query)
      list.addEventListener('change', changed)
      return () => list.removeEventListener('change', changed)
    },
    () => window.matchMedia(query).matches,
  )
}

/** Too narrow for a sidebar beside the conversation. */
export const useNarrow = (): boolean => useMedia('(max-width: 820px)')

/** Fingers: Enter makes a new line, and buttons are always shown. */
export const useTouch = (): boolean => useMedia('(pointer: coarse)')
