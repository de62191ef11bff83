// A button with an icon and a name; its tooltip is the page's single one (Tooltips), shared by handle.
import { Button } from '@base-ui/react/button'
import { Tooltip } from '@base-ui/react/tooltip'
import type { ComponentProps, ReactElement, ReactNode } from 'react'

interface Hint {
  label: string
  keys: string | undefined
}

const tooltip = Tooltip.createHandle<Hint>()

type Props = ComponentProps<'button'> & {
  label: string
  /** Keyboard shortcut, shown in the tooltip. */
  keys?: string
  children: ReactNode
}

export function IconButton({
  label,
  keys,
  className = '',
  children,
  ...rest
}: Props): ReactElement {
  return (
    <Tooltip.Trigger
      handle={tooltip}
      payload={{ label, keys }}
      render={
        <Button {...rest} type="button" aria-label={label} className={`icon-button ${className}`} />
      }
    >
      {children}
    </Tooltip.Trigger>
  )
}

export function Tooltips(): ReactElement {
  return (
    <Tooltip.Root handle={tooltip}>
      {({ payload }) => (
        <Tooltip.Portal>
          <Tooltip.Positioner sideOffset={6} className="tooltip-positioner">
            <Tooltip.Popup className="tooltip">
              {payload?.label}
              {payload?.keys ? <kbd>{payload.keys}</kbd> : null}
            </Tooltip.Popup>
          </Tooltip.Positioner>
        </Tooltip.Portal>
      )}
    </Tooltip.Root>
  )
}
