// The rows of the settings dialog.
import { NumberField } from '@base-ui/react/number-field'
import { Switch } from '@base-ui/react/switch'
import { Toggle } from '@base-ui/react/toggle'
import { ToggleGroup } from '@base-ui/react/toggle-group'
import { Minus, Plus } from 'lucide-react'
import { type ReactElement, useId } from 'react'

interface RowText {
  label: string
  hint?: string
}

function RowLabel({ label, hint, id }: RowText & { id: string }) {
  return (
    <span className="row-label">
      <span id={id}>{label}</span>
      {hint ? <small>{hint}</small> : null}
    </span>
  )
}

interface SwitchProps extends RowText {
  value: boolean
  onChange(value: boolean): void
}

export function SwitchRow({ value, onChange, ...text }: SwitchProps): ReactElement {
  const id = useId()
  return (
    <div className="row">
      <RowLabel {...text} id={id} />
      <Switch.Root
        className="switch"
        aria-labelledby={id}
        checked={value}
        onCheckedChange={onChange}
      >
        <Switch.Thumb className="switch-thumb" />
      </Switch.Root>
    </div>
  )
}

interface ChoiceProps<T extends string> extends RowText {
  value: T
  options: readonly (readonly [T, string])[]
  onChange(value: T): void
}

export function ChoiceRow<T extends string>(props: ChoiceProps<T>): ReactElement {
  const { value, options, onChange, ...text } = props
  const id = useId()
  return (
    <div className="row">
      <RowLabel {...text} id={id} />
      <ToggleGroup
        className="choices"
        aria-labelledby={id}
        value={[value]}
        onValueChange={([next]) => next && onChange(next as T)}
      >
        {options.map(([option, name]) => (
          <Toggle key={option} value={option} className="choice">
            {name}
          </Toggle>
        ))}
      </ToggleGroup>
    </div>
  )
}

interface NumberProps extends RowText {
  value: number | null
  min: number
  max: number
  step: number
  onChange(value: number | null): void
}

/** Empty means: as the server does it. */
export function NumberRow({ value, onChange, min, max, step, ...text }: NumberProps): ReactElement {
  const id = useId()
  return (
    <div className="row">
      <RowLabel {...text} id={id} />
      <NumberField.Root value={value} onValueChange={onChange} min={min} max={max} step={step}>
        <NumberField.Group className="number">
          <NumberField.Decrement className="icon-button" aria-label={`Less: ${text.label}`}>
            <Minus />
          </NumberField.Decrement>
          <NumberField.Input aria-labelledby={id} placeholder="Default" />
          <NumberField.Increment className="icon-button" aria-label={`More: ${text.label}`}>
            <Plus />
          </NumberField.Increment>
        </NumberField.Group>
      </NumberField.Root>
    </div>
  )
}
