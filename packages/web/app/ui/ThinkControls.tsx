import { Menu } from '@base-ui/react/menu'
import { Toggle } from '@base-ui/react/toggle'
import { Brain, Check, ChevronDown } from 'lucide-react'
import type { ReactElement } from 'react'
import { usePage, useSettings } from './app-context.ts'
import { count, shortCount } from './format.ts'

const budgets = [null, 128, 512, 2048, 8192, 32768]

function budgetText(budget: number | null): string {
  return budget === null ? 'No limit' : `${count(budget)} tokens`
}

function BudgetMenu() {
  const { settings } = usePage()
  const budget = useSettings((state) => state.thinkingBudget)
  return (
    <Menu.Root>
      <Menu.Trigger className="pill budget" aria-label={`Thinking budget: ${budgetText(budget)}`}>
        <span>{budget === null ? 'Budget' : `≤ ${shortCount(budget)}`}</span>
        <ChevronDown aria-hidden="true" />
      </Menu.Trigger>
      <Menu.Portal>
        <Menu.Positioner className="popup-positioner" side="top" align="start" sideOffset={8}>
          <Menu.Popup className="popup menu">
            <Menu.RadioGroup
              value={budget}
              onValueChange={(value: number | null) => settings.change({ thinkingBudget: value })}
            >
              <Menu.Group>
                <Menu.GroupLabel className="menu-label">Think for at most</Menu.GroupLabel>
                {budgets.map((value) => (
                  <Menu.RadioItem
                    key={String(value)}
                    value={value}
                    className="menu-item"
                    closeOnClick
                  >
                    {budgetText(value)}
                    <Menu.RadioItemIndicator className="menu-check">
                      <Check aria-hidden="true" />
                    </Menu.RadioItemIndicator>
                  </Menu.RadioItem>
                ))}
              </Menu.Group>
            </Menu.RadioGroup>
          </Menu.Popup>
        </Menu.Positioner>
      </Menu.Portal>
    </Menu.Root>
  )
}

/** Whether the model thinks before it answers, and how long it may. */
export function ThinkControls(): ReactElement {
  const { settings } = usePage()
  const thinking = useSettings((state) => state.thinking)
  return (
    <div className="think-controls">
      <Toggle
        className="pill"
        pressed={thinking}
        onPressedChange={(pressed) => settings.change({ thinking: pressed })}
        aria-label="Think before answering"
      >
        <Brain aria-hidden="true" />
        Think
      </Toggle>
      {thinking ? <BudgetMenu /> : null}
    </div>
  )
}
