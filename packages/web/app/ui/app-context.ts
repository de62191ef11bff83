// The page's one of each: stores and actions, made in main.tsx, read by components through these hooks.
import { createContext, useContext } from 'react'
import { useStore } from 'zustand'
import type { AnswerContext } from '../chat/answer.ts'
import type { ChatState, ChatStore } from '../chat/store.ts'
import type { ServerState, ServerStore } from '../server-state.ts'
import type { Settings, SettingsStore } from '../settings.ts'

export interface Page {
  chats: ChatStore
  settings: SettingsStore
  server: ServerStore
  answers: AnswerContext
}

export const PageContext: React.Context<Page | null> = createContext<Page | null>(null)

export function usePage(): Page {
  const page = useContext(PageContext)
  if (!page) throw new Error('a component was drawn outside PageContext')
  return page
}

export function useChats<T>(select: (state: ChatState) => T): T {
  return useStore(usePage().chats, select)
}

export function useSettings<T>(select: (state: Settings) => T): T {
  return useStore(usePage().settings, select)
}

export function useServer(): ServerState {
  return useStore(usePage().server, (state) => state.server)
}
