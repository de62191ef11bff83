import { useEffect, useState } from 'react'
import { elapsed } from '../elapsed.ts'

/** The time that elapses, again every `ms`, while `running`. */
export function useNow(ms: number, running: boolean): number {
  const [now, setNow] = useState(elapsed)
  useEffect(() => {
    if (!running) return
    setNow(elapsed())
    const timer = setInterval(() => setNow(elapsed()), ms)
    return () => clearInterval(timer)
  }, [ms, running])
  return now
}
