// One React element per Markdown node.

import { ImageOff } from 'lucide-react'
import type { AlignType, List, ListItem, Nodes, Table } from 'mdast'
import { Fragment, type ReactNode } from 'react'
import { hostOf, inlineImage, safeLink } from './addresses.ts'
import type { Definitions } from './blocks.ts'
import { CodeBlock } from './CodeBlock.tsx'
import { FormulaView } from './Formula.tsx'
import { plainMath, splitMath } from './math.ts'

interface NodeProps {
  node: Nodes
  definitions: Definitions
}

type Children = readonly Nodes[]

function drawAll(children: Children, definitions: Definitions): ReactNode {
  return children.map((child, index) => (
    <MarkdownNode key={index} node={child} definitions={definitions} />
  ))
}

function TextWithMath({ text }: { text: string }) {
  return splitMath(text).map((part, index) =>
    typeof part === 'string' ? (
      part
    ) : (
      <FormulaView key={index} tex={part.tex} display={part.display} />
    ),
  )
}

function LinkView({ address, children }: { address: string; children: ReactNode }) {
  const href = safeLink(plainMath(address))
  if (!href) return <span className="dead-link">{children}</span>
  return (
    <a href={href} title={href} target="_blank" rel="noreferrer noopener nofollow">
      {children}
    </a>
  )
}

/**
 * The page's policy lets no picture from elsewhere in, whatever the reader clicks; its address can only be
 * opened on its own, in a tab that does not know where it came from.
 */
function ImageView({ address, alt }: { address: string; alt: string }) {
  const inline = inlineImage(address)
  if (inline) return <img src={inline} alt={alt} loading="lazy" />
  const href = safeLink(address)
  return (
    <span className="image-placeholder">
      <ImageOff aria-hidden="true" />
      <span className="image-alt">{alt || 'Image'}</span>
      {href ? (
        <a href={href} title={href} target="_blank" rel="noreferrer noopener nofollow">
          Open from {hostOf(href)}
        </a>
      ) : (
        <span className="dead-link">not loaded</span>
      )}
    </span>
  )
}

function ItemView({ item, definitions }: { item: ListItem; definitions: Definitions }) {
  const children = item.children.map((child, index) =>
    // A tight list shows the text of its paragraphs without the paragraphs.
    child.type === 'paragraph' && !item.spread ? (
      <Fragment key={index}>{drawAll(child.children, definitions)}</Fragment>
    ) : (
      <MarkdownNode key={index} node={child} definitions={definitions} />
    ),
  )
  if (typeof item.checked !== 'boolean') return <li>{children}</li>
  return (
    <li className="task">
      <input type="checkbox" checked={item.checked} disabled readOnly aria-label="Task" />
      <div>{children}</div>
    </li>
  )
}

function ListView({ list, definitions }: { list: List; definitions: Definitions }) {
  const items = list.children.map((item, index) => (
    <ItemView key={index} item={item} definitions={definitions} />
  ))
  return list.ordered ? <ol start={list.start ?? 1}>{items}</ol> : <ul>{items}</ul>
}

const alignment = (align: AlignType | undefined) => (align ? `align-${align}` : undefined)

function TableView({ table, definitions }: { table: Table; definitions: Definitions }) {
  const [head, ...rows] = table.children
  return (
    <div className="table" tabIndex={0}>
      <table>
        <thead>
          <tr>
            {head?.children.map((cell, index) => (
              <th key={index} className={alignment(table.align?.[index])}>
                {drawAll(cell.children, definitions)}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row, rowIndex) => (
            <tr key={rowIndex}>
              {row.children.map((cell, index) => (
                <td key={index} className={alignment(table.align?.[index])}>
                  {drawAll(cell.children, definitions)}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  )
}

function HeadingView({ depth, children }: { depth: number; children: ReactNode }) {
  // Under the page's own headings; answers begin with # or ## alike, and no level is skipped.
  const Tag = `h${Math.min(6, Math.max(3, depth + 1))}` as 'h3' | 'h4' | 'h5' | 'h6'
  return <Tag className={`heading heading-${depth}`}>{children}</Tag>
}

function drawInline({ node, definitions }: NodeProps): ReactNode {
  switch (node.type) {
    case 'text':
      return <TextWithMath text={node.value} />
    case 'emphasis':
      return <em>{drawAll(node.children, definitions)}</em>
    case 'strong':
      return <strong>{drawAll(node.children, definitions)}</strong>
    case 'delete':
      return <del>{drawAll(node.children, definitions)}</del>
    case 'inlineCode':
      return <code>{plainMath(node.value)}</code>
    case 'break':
      return <br />
    case 'link':
      return <LinkView address={node.url}>{drawAll(node.children, definitions)}</LinkView>
    case 'image':
      return <ImageView address={plainMath(node.url)} alt={plainMath(node.alt ?? '')} />
    case 'linkReference': {
      const children = drawAll(node.children, definitions)
      const target = definitions.get(node.identifier)
      return target ? <LinkView address={target}>{children}</LinkView> : children
    }
    case 'imageReference': {
      const target = definitions.get(node.identifier)
      return <ImageView address={target ?? ''} alt={plainMath(node.alt ?? '')} />
    }
    case 'footnoteReference':
      return <sup className="footnote-reference">{node.label ?? node.identifier}</sup>
    default:
      return null
  }
}

export function MarkdownNode({ node, definitions }: NodeProps): ReactNode {
  switch (node.type) {
    case 'paragraph':
      return <p>{drawAll(node.children, definitions)}</p>
    case 'heading':
      return <HeadingView depth={node.depth}>{drawAll(node.children, definitions)}</HeadingView>
    case 'list':
      return <ListView list={node} definitions={definitions} />
    case 'blockquote':
      return <blockquote>{drawAll(node.children, definitions)}</blockquote>
    case 'code':
      return <CodeBlock code={plainMath(node.value)} language={node.lang ?? ''} />
    case 'table':
      return <TableView table={node} definitions={definitions} />
    case 'thematicBreak':
      return <hr />
    case 'html':
      return <span className="raw-html">{plainMath(node.value)}</span>
    case 'footnoteDefinition':
      return (
        <div className="footnote">
          <sup>{node.label ?? node.identifier}</sup>
          <div>{drawAll(node.children, definitions)}</div>
        </div>
      )
    default:
      return drawInline({ node, definitions })
  }
}
