// The server's state where it matters: a progress bar while the model loads, a notice while it is out of reach.
import { Progress } from '@base-ui/react/progress'
import { TriangleAlert, WifiOff } from 'lucide-react'
import type { ReactElement } from 'react'
import type { ServerState } from '../server-state.ts'
import { useChats, usePage, useServer } from './app-context.ts'
import { useNow } from './useNow.ts'

type Loading = Extract<ServerState, { type: 'loading' }>
type Offline = Extract<ServerState, { type: 'offline' }>

function LoadingBanner({ server }: { server: Loading }) {
  const { progress } = server
  const share = progress && progress.total > 0 ? progress.done / progress.total : null
  const value = share === null ? null : Math.round(100 * Math.min(1, share))
  return (
    <Progress.Root className="banner loading" value={value}>
      <Progress.Label className="banner-text">
        Loading the model{progress?.stage ? `: ${progress.stage}` : ''}
      </Progress.Label>
      <Progress.Value className="banner-value">
        {(_, number) => (number === null ? '' : `${number} %`)}
      </Progress.Value>
      <Progress.Track className="progress-track">
        <Progress.Indicator className="progress-bar" />
      </Progress.Track>
    </Progress.Root>
  )
}

function OfflineBanner({ server }: { server: Offline }) {
  const page = usePage()
  const now = useNow(500, true)
  const seconds = Math.max(0, Math.ceil((server.retryAt - now) / 1000))
  return (
    <div className="banner offline">
      <WifiOff aria-hidden="true" />
      <span className="banner-text" role="alert">
        No connection to the server.
      </span>
      <span className="banner-value">
        {seconds > 0 ? `Trying again in ${seconds} s` : 'Trying…'}
      </span>
      <button type="button" className="text-button" onClick={() => page.server.look()}>
        Try now
      </button>
    </div>
  )
}

function StorageBanner() {
  const persistent = useChats((state) => state.persistent)
  const saveFailed = useChats((state) => state.saveFailed)
  if (persistent && !saveFailed) return null
  return (
    <div className="banner" role="status">
      <span className="banner-text">
        {saveFailed
          ? 'This browser’s storage is full: the newest messages are not saved.'
          : 'This window keeps no history: chats last until it is closed.'}
      </span>
    </div>
  )
}

export function ServerBanner(): ReactElement {
  const server = useServer()
  return (
    <>
      {server.type === 'loading' ? <LoadingBanner server={server} /> : null}
      {server.type === 'failed' ? (
        <div className="banner offline" role="alert">
          <TriangleAlert aria-hidden="true" />
          <span className="banner-text">{server.message}</span>
        </div>
      ) : null}
      {server.type === 'offline' ? <OfflineBanner server={server} /> : null}
      <StorageBanner />
    </>
  )
}
