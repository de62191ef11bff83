import { memo, useLayoutEffect, useRef } from 'react'
import { formulas, useLazy } from './lazy.ts'

interface Props {
  tex: string
  display: boolean
}

/** While a formula is being written most of its states are broken TeX: the last good drawing stays. */
export const FormulaView = memo(function FormulaView({ tex, display }: Props) {
  const element = useRef<HTMLSpanElement>(null)
  const drawn = useRef(false)
  const render = useLazy(formulas)
  useLayoutEffect(() => {
    const target = element.current
    if (!target) return
    try {
      if (!render) throw new Error('not loaded yet')
      render(tex, target, display)
      drawn.current = true
      target.classList.remove('formula-source')
    } catch {
      const sameStart = drawn.current && target.dataset.tex && tex.startsWith(target.dataset.tex)
      if (sameStart) return
      target.textContent = tex
      target.classList.add('formula-source')
    }
    target.dataset.tex = tex
  }, [tex, display, render])
  return <span ref={element} className={display ? 'formula formula-display' : 'formula'} />
})
