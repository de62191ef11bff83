// Starts the page: opens the database, makes the stores, draws, and registers the service worker.
import { StrictMode } from 'react'
import { createRoot } from 'react-dom/client'
import './styles/index.css'
import type { AnswerContext } from './chat/answer.ts'
import { openChatDb } from './chat/db.ts'
import { createChatStore } from './chat/store.ts'
import { loadWhenIdle } from './markdown/lazy.ts'
import { createServerStore } from './server-state.ts'
import { registerServiceWorker } from './service-worker.ts'
import { createSettings } from './settings.ts'
import { App } from './ui/App.tsx'

const chats = createChatStore(await openChatDb())
const settings = createSettings(localStorage)
const server = createServerStore()

function model(): string | undefined {
  const state = server.getState().server
  if (state.type !== 'ok') return undefined
  const { model: chosen } = settings.getState()
  return chosen && state.models.includes(chosen) ? chosen : (state.models[0] ?? state.model)
}

const answers: AnswerContext = {
  chats,
  settings,
  model,
  askKey: server.askKey,
  onReach: server.report,
}

/** The open chat is in the address, after #, which never leaves the browser. */
function followAddress() {
  const fromAddress = () => chats.open(window.location.hash.slice(1) || null)
  chats.subscribe(({ openId }, before) => {
    if (openId === before.openId) return
    const address = openId ? `#${openId}` : window.location.pathname
    if (window.location.hash.slice(1) !== (openId ?? ''))
      window.history.pushState(null, '', address)
  })
  window.addEventListener('popstate', () => void fromAddress())
  window.addEventListener('hashchange', () => void fromAddress())
  return fromAddress()
}

document.addEventListener('visibilitychange', () => {
  // Another tab, another set of chats: what is on disk counts.
  if (!document.hidden && chats.getState().persistent) void chats.refresh()
})

await chats.init()
await followAddress()
server.start()
const root = document.getElementById('root')
if (root)
  createRoot(root).render(
    <StrictMode>
      <App page={{ chats, settings, server, answers }} />
    </StrictMode>,
  )
loadWhenIdle()
registerServiceWorker()
