import type { ElementContent, RootContent } from 'hast'
import { WrapText } from 'lucide-react'
import { memo, type ReactNode, useDeferredValue, useMemo, useState } from 'react'
import { CopyButton } from '../ui/CopyButton.tsx'
import { IconButton } from '../ui/IconButton.tsx'
import { highlighter, useLazy } from './lazy.ts'

function draw(node: RootContent | ElementContent, key: number): ReactNode {
  if (node.type === 'text') return node.value
  if (node.type !== 'element') return null
  const classes = node.properties.className
  return (
    <span key={key} className={Array.isArray(classes) ? classes.join(' ') : undefined}>
      {node.children.map(draw)}
    </span>
  )
}

interface Props {
  code: string
  language: string
}

export const CodeBlock = memo(function CodeBlock({ code, language }: Props) {
  const highlight = useLazy(highlighter)
  const [wrap, setWrap] = useState(false)
  // Typing and scrolling come before colours while a long block is being written.
  const shown = useDeferredValue(code)
  const coloured = useMemo(() => {
    const tree = language ? highlight?.(shown, language.toLowerCase()) : undefined
    return tree ? tree.children.map(draw) : undefined
  }, [shown, language, highlight])
  return (
    <figure className="code" data-wrap={wrap || undefined}>
      <figcaption>
        <span className="code-language">{language || 'text'}</span>
        <IconButton
          label={wrap ? 'Do not wrap lines' : 'Wrap lines'}
          onClick={() => setWrap(!wrap)}
        >
          <WrapText />
        </IconButton>
        <CopyButton text={code} label="Copy code" />
      </figcaption>
      <pre tabIndex={0}>
        <code>{coloured ?? code}</code>
      </pre>
    </figure>
  )
})
