import type { ReactElement } from 'react'
import { ask } from '../chat/answer.ts'
import { usePage, useServer } from './app-context.ts'
import { Mark } from './Mark.tsx'

// All of them are within reach of the embedded model too.
const suggestions = [
  'How many r are in strawberry?',
  'Which is larger, 9.11 or 9.9?',
  'What is 47 * 36?',
  'Make 33 from 6 6 3.',
]

export function Welcome(): ReactElement {
  const { answers } = usePage()
  const server = useServer()
  const who = server.type === 'ok' ? server.model : 'The model'
  return (
    <div className="welcome column">
      <Mark size={56} />
      <h1>What shall we look into?</h1>
      <p>{who} runs on your own machine. What you write stays there.</p>
      <ul className="suggestions">
        {suggestions.map((text) => (
          <li key={text}>
            <button type="button" onClick={() => void ask(answers, text)}>
              {text}
            </button>
          </li>
        ))}
      </ul>
    </div>
  )
}
