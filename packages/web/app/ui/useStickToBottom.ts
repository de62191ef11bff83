// Follows a growing conversation, but only while the reader is at its end: scrolling up by the smallest amount
// lets go, coming back to the end takes hold again.
import { type RefObject, useCallback, useEffect, useRef, useState } from 'react'

const slack = 24

export interface StickToBottom {
  scroller: RefObject<HTMLDivElement | null>
  content: RefObject<HTMLDivElement | null>
  atBottom: boolean
  toBottom(smooth?: boolean): void
}

export function useStickToBottom(): StickToBottom {
  const scroller = useRef<HTMLDivElement>(null)
  const content = useRef<HTMLDivElement>(null)
  const sticking = useRef(true)
  const last = useRef({ top: 0, height: 0 })
  const [atBottom, setAtBottom] = useState(true)

  const toBottom = useCallback((smooth = false) => {
    const element = scroller.current
    if (!element) return
    sticking.current = true
    setAtBottom(true)
    const distance = element.scrollHeight - element.scrollTop - element.clientHeight
    // Over many screens a smooth way would blur past everything in between.
    const behavior = smooth && distance < 2 * element.clientHeight ? 'smooth' : 'instant'
    element.scrollTo({ top: element.scrollHeight, behavior })
  }, [])

  useEffect(() => {
    const element = scroller.current
    const inner = content.current
    if (!element || !inner) return
    // Content that shrinks also moves the position up: that is not the reader.
    const readerWentUp = () =>
      element.scrollTop < last.current.top - 1 && element.scrollHeight >= last.current.height
    const remember = () => {
      last.current = { top: element.scrollTop, height: element.scrollHeight }
    }
    const nearEnd = () => element.scrollHeight - element.scrollTop - element.clientHeight <= slack
    const settle = () => {
      remember()
      setAtBottom(sticking.current || nearEnd())
    }
    const onScroll = () => {
      if (readerWentUp()) sticking.current = false
      else if (nearEnd() && element.scrollTop > last.current.top) sticking.current = true
      settle()
    }
    const observer = new ResizeObserver(() => {
      // A fast answer grows again before the reader's own scrolling is reported.
      if (readerWentUp()) sticking.current = false
      if (sticking.current) element.scrollTop = element.scrollHeight
      settle()
    })
    const onWheel = (event: WheelEvent) => {
      if (event.deltaY < 0 && element.scrollTop > 0) sticking.current = false
    }
    observer.observe(inner)
    observer.observe(element)
    element.addEventListener('scroll', onScroll, { passive: true })
    element.addEventListener('wheel', onWheel, { passive: true })
    return () => {
      observer.disconnect()
      element.removeEventListener('scroll', onScroll)
      element.removeEventListener('wheel', onWheel)
    }
  }, [])
  return { scroller, content, atBottom, toBottom }
}
