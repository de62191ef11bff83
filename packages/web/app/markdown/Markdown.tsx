// Draws parsed Markdown as React elements. There is no path from an answer to HTML text: a raw tag is shown as
// the characters it is.
import { memo, useRef } from 'react'
import { type Block, createBlockParser, type Definitions } from './blocks.ts'
import { MarkdownNode } from './nodes.tsx'

interface BlockProps {
  block: Block
  definitions: Definitions
}

const BlockView = memo(
  function BlockView({ block, definitions }: BlockProps) {
    return <MarkdownNode node={block.node} definitions={definitions} />
  },
  // A block parsed anew from the same text draws the same.
  (a, b) => a.block.source === b.block.source && a.definitions === b.definitions,
)

interface Props {
  text: string
  streaming: boolean
}

export const Markdown = memo(function Markdown({ text, streaming }: Props) {
  const parser = useRef<ReturnType<typeof createBlockParser>>(undefined)
  parser.current ??= createBlockParser()
  const { blocks, definitions } = parser.current.update(text, streaming)
  return (
    <div className="markdown" data-streaming={streaming || undefined}>
      {blocks.map((block, index) => (
        <BlockView key={index} block={block} definitions={definitions} />
      ))}
    </div>
  )
})
