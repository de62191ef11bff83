// What stands in place of an answer before its first token: sent, waiting in a queue, waiting for the model.
import { Hourglass, LoaderCircle, WifiOff } from 'lucide-react'
import type { ReactElement } from 'react'
import type { Run, RunPhase } from '../chat/store.ts'
import { clock } from './format.ts'
import { useNow } from './useNow.ts'

type Waiting = Extract<RunPhase, { type: 'waiting' }>

const icons = { busy: Hourglass, loading: LoaderCircle, network: WifiOff }
const titles = {
  busy: 'The server is busy',
  loading: 'The model is still loading',
  network: 'No connection to the server',
}

function WaitingNotice({ phase, run }: { phase: Waiting; run: Run }) {
  const now = useNow(250, true)
  const Icon = icons[phase.reason]
  const seconds = Math.max(0, Math.ceil((phase.until - now) / 1000))
  return (
    <div className="run-notice waiting" role="status">
      <Icon aria-hidden="true" />
      <div>
        <strong>{titles[phase.reason]}</strong>
        {phase.reason === 'busy' ? <p>{phase.message}</p> : null}
        <p aria-hidden="true">{seconds > 0 ? `Trying again in ${seconds} s` : 'Trying again…'}</p>
      </div>
      <button type="button" className="text-button" onClick={() => run.retryNow()}>
        Try now
      </button>
    </div>
  )
}

export function RunNotice({ run }: { run: Run }): ReactElement | null {
  const now = useNow(100, run.phase.type === 'sent')
  if (run.phase.type === 'waiting') return <WaitingNotice phase={run.phase} run={run} />
  if (run.phase.type !== 'sent') return null
  const elapsed = now - run.startedAt
  return (
    <p className="run-notice">
      <span className="pulse" aria-hidden="true" />
      <span className="shimmer">Reading</span>
      {elapsed > 1500 ? <span className="thinking-clock">{clock(elapsed)}</span> : null}
    </p>
  )
}
