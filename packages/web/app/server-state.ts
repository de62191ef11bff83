// What the page knows of the server: loading, ready, out of reach. Polled fast while it loads, with growing
// pauses while it cannot be reached, and rarely (and only in a visible tab) while all is well.
import { createStore, type StoreApi } from 'zustand/vanilla'
import { fetchHealth, fetchModels } from './api/client.ts'
import { ApiError, type Failure } from './api/errors.ts'
import type { Health } from './api/wire.ts'
import { elapsed } from './elapsed.ts'

export type ServerState =
  | { type: 'unknown' }
  | { type: 'loading'; progress: Health['progress'] }
  | { type: 'ok'; model: string; models: readonly string[]; contextLength: number | undefined }
  /** It answers, but there is no model behind it. */
  | { type: 'failed'; message: string }
  /** `retryAt` as `elapsed()` will say it. */
  | { type: 'offline'; attempt: number; retryAt: number }

export interface ServerStore extends StoreApi<{ server: ServerState; keyWanted: boolean }> {
  start(): () => void
  /** Looks now instead of at the next turn. */
  look(): void
  /** A request elsewhere has failed, or worked. */
  report(failure: Failure | undefined): void
  /** Shows the key dialog; resolves when it closes. */
  askKey(): Promise<boolean>
  answerKey(given: boolean): void
}

const loadingMs = 700
const failedMs = 5000
const quietMs = 30_000
export const offlineDelay = (attempt: number): number => Math.min(15_000, 1000 * 2 ** attempt)

interface Probe {
  state: ServerState
  keyWanted: boolean
}

function downText({ status, error }: Health): string {
  if (error) return `${error[0]?.toUpperCase()}${error.slice(1)}.`
  return status === 'draining' ? 'The server is shutting down.' : 'The server has no model.'
}

/** One look at the server; `previous` counts the tries since it was last reached. */
async function probe(previous: ServerState): Promise<Probe> {
  try {
    const health = await fetchHealth()
    if (health.status === 'loading')
      return { state: { type: 'loading', progress: health.progress }, keyWanted: false }
    if (health.status !== 'ok')
      return { state: { type: 'failed', message: downText(health) }, keyWanted: false }
    const known = previous.type === 'ok' && previous.model === health.model
    const base = { type: 'ok', model: health.model, contextLength: health.context_length } as const
    if (known) return { state: { ...base, models: previous.models }, keyWanted: false }
    try {
      return { state: { ...base, models: await fetchModels() }, keyWanted: false }
    } catch (error) {
      const keyWanted = error instanceof ApiError && error.failure.kind === 'key'
      return { state: { ...base, models: [] }, keyWanted }
    }
  } catch (error) {
    if (error instanceof ApiError && error.failure.kind === 'key')
      return { state: { type: 'unknown' }, keyWanted: true }
    const attempt = previous.type === 'offline' ? previous.attempt + 1 : 0
    const retryAt = elapsed() + offlineDelay(attempt)
    return { state: { type: 'offline', attempt, retryAt }, keyWanted: false }
  }
}

function pauseAfter(state: ServerState): number {
  if (state.type === 'loading') return loadingMs
  if (state.type === 'failed') return failedMs
  return state.type === 'offline' ? state.retryAt - elapsed() : quietMs
}

export function createServerStore(): ServerStore {
  const store = createStore<{ server: ServerState; keyWanted: boolean }>(() => ({
    server: { type: 'unknown' },
    keyWanted: false,
  }))
  let timer: ReturnType<typeof setTimeout> | undefined
  let looking = false
  const waiting: ((given: boolean) => void)[] = []

  async function look(): Promise<void> {
    if (looking) return
    looking = true
    clearTimeout(timer)
    const { state, keyWanted } = await probe(store.getState().server)
    looking = false
    store.setState(keyWanted ? { server: state, keyWanted } : { server: state })
    timer = setTimeout(() => {
      // A hidden tab asks nothing while all is well; becoming visible looks at once.
      if (state.type !== 'ok' || !document.hidden) void look()
    }, pauseAfter(state))
  }
  const onVisible = () => {
    if (!document.hidden) void look()
  }
  return Object.assign(store, {
    look: () => void look(),
    start() {
      void look()
      document.addEventListener('visibilitychange', onVisible)
      window.addEventListener('online', onVisible)
      return () => {
        clearTimeout(timer)
        document.removeEventListener('visibilitychange', onVisible)
        window.removeEventListener('online', onVisible)
      }
    },
    report(failure: Failure | undefined) {
      const { server } = store.getState()
      if (failure?.kind === 'network' || failure?.kind === 'loading') void look()
      else if (server.type === 'offline' || server.type === 'loading') void look()
    },
    askKey() {
      store.setState({ keyWanted: true })
      return new Promise<boolean>((resolve) => waiting.push(resolve))
    },
    answerKey(given: boolean) {
      store.setState({ keyWanted: false })
      for (const resolve of waiting.splice(0)) resolve(given)
      if (given) {
        // Ask for the models again, with the key.
        store.setState({ server: { type: 'unknown' } })
        void look()
      }
    },
  })
}
