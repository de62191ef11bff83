// KaTeX, set up for hostile input. It builds DOM nodes and sets styles as properties, which a policy without
// 'unsafe-inline' allows; its string output would need inline styles.
import katex from 'katex'
import 'katex/dist/katex.min.css'

/** Draws a formula into `element`; throws on bad TeX and leaves the element as it was. */
export function render(tex: string, element: HTMLElement, display: boolean): void {
  const fresh = document.createElement('span')
  katex.render(tex, fresh, {
    displayMode: display,
    throwOnError: true,
    // No links, images, classes or styles out of a formula.
    trust: false,
    strict: 'ignore',
    maxSize: 20,
    maxExpand: 500,
    output: 'htmlAndMathml',
  })
  element.replaceChildren(...fresh.childNodes)
}
