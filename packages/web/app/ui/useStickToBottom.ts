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
  const lastTop = useRef(0)
  const [atBottom, setAtBottom] = useState(true)

  const toBottom = useCallback((smooth = false) => {
    const element = scroller.current
    if (!element) return
    sticking.current = true
    setAtBottom(true)
    element.scrollTo({ top: element.scrollHeight, behavior: smooth ? 'smooth' : 'instant' })
  }, [])

  useEffect(() => {
    const element = scroller.current
    const inner = content.current
    if (!element || !inner) return
    const onScroll = () => {
      const distance = element.scrollHeight - element.scrollTop - element.clientHeight
      const up = element.scrollTop < lastTop.current - 1
      lastTop.current = element.scrollTop
      // Content that shrinks also moves the scroll position up; then the end is still near.
      if (distance <= slack) sticking.current = true
      else if (up) sticking.current = false
      setAtBottom(distance <= slack || sticking.current)
    }
    const observer = new ResizeObserver(() => {
      if (sticking.current) element.scrollTop = element.scrollHeight
      else onScroll()
    })
    observer.observe(inner)
    observer.observe(element)
    element.addEventListener('scroll', onScroll, { passive: true })
    return () => {
      observer.disconnect()
      element.removeEventListener('scroll', onScroll)
    }
  }, [])
  return { scroller, content, atBottom, toBottom }
}
