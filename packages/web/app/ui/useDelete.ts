import type { Chat, Message } from '../chat/types.ts'
import { usePage } from './app-context.ts'
import { notify } from './Toasts.tsx'

export function useDeleteMessage(): (message: Message) => Promise<void> {
  const { chats } = usePage()
  return async (message) => {
    const undo = await chats.removeMessage(message.id)
    notify({ title: message.role === 'user' ? 'Question deleted' : 'Answer deleted', undo })
  }
}

export function useDeleteChat(): (chat: Chat) => Promise<void> {
  const { chats } = usePage()
  return async (chat) => {
    const wasOpen = chats.getState().openId === chat.id
    const undo = await chats.removeChat(chat.id)
    notify({
      title: 'Chat deleted',
      undo: async () => {
        await undo()
        if (wasOpen) await chats.open(chat.id)
      },
    })
  }
}
