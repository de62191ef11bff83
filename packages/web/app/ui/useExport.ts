import { chatAsMarkdown, exportChats, importChats } from '../chat/transfer.ts'
import type { Chat } from '../chat/types.ts'
import { usePage } from './app-context.ts'
import { download, fileName } from './clipboard.ts'
import { notify } from './Toasts.tsx'

export interface Exporting {
  exportJson(chats: readonly Chat[]): Promise<void>
  exportMarkdown(chat: Chat): Promise<void>
  importFile(file: File): Promise<void>
}

export function useExport(): Exporting {
  const { chats: store } = usePage()
  const { db } = store
  return {
    async exportJson(chats) {
      const single = chats.length === 1 ? chats[0] : undefined
      const messages = single ? await db.messagesOf(single.id) : await db.allMessages()
      const json = JSON.stringify(exportChats(chats, messages), null, 1)
      const day = new Date().toISOString().slice(0, 10)
      download(fileName(single?.title ?? `hadal chats ${day}`, 'json'), 'application/json', json)
    },
    async exportMarkdown(chat) {
      const messages = Object.fromEntries((await db.messagesOf(chat.id)).map((m) => [m.id, m]))
      const text = chatAsMarkdown(chat, messages)
      download(fileName(chat.title, 'md'), 'text/markdown', text)
    },
    async importFile(file) {
      try {
        const { chats, messages } = importChats(await file.text())
        await store.addAll(chats, messages)
        notify({ title: `${chats.length} ${chats.length === 1 ? 'chat' : 'chats'} imported` })
      } catch (error) {
        notify({ title: error instanceof Error ? error.message : 'The file could not be read.' })
      }
    },
  }
}
