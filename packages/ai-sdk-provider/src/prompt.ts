// The AI SDK's prompt → messages. Text goes through; what the models cannot read is refused by name.
import {
  InvalidPromptError,
  type LanguageModelV3Message,
  type LanguageModelV3Prompt,
  type LanguageModelV3ToolResultOutput,
  UnsupportedFunctionalityError,
} from '@ai-sdk/provider'
import type { Message, ToolCall } from 'hadal'

export function toMessages(prompt: LanguageModelV3Prompt): Message[] {
  return prompt.flatMap((message) => toMessage(message, prompt))
}

function toMessage(
  message: LanguageModelV3Message,
  prompt: LanguageModelV3Prompt,
): Message | Message[] {
  switch (message.role) {
    case 'system':
      return { role: 'system', content: message.content }
    case 'user':
      return {
        role: 'user',
        content: message.content
          .map((part) => (part.type === 'text' ? part.text : refuseFile(part.mediaType)))
          .join(''),
      }
    case 'assistant':
      return toAssistant(message.content)
    case 'tool':
      return message.content.flatMap((part) =>
        // Approvals are between the AI SDK and its user; the model sees the result that follows.
        part.type === 'tool-result'
          ? {
              role: 'tool' as const,
              content: toolText(part.output),
              toolCallId: part.toolCallId,
              name: part.toolName,
            }
          : [],
      )
    default: {
      const { role } = message as { readonly role: unknown }
      throw new InvalidPromptError({
        prompt,
        message: `role: expected system, user, assistant or tool, got ${JSON.stringify(role)}`,
      })
    }
  }
}

type AssistantContent = Extract<LanguageModelV3Message, { role: 'assistant' }>['content']

function toAssistant(content: AssistantContent): Message {
  let [text, reasoning] = ['', '']
  const toolCalls: ToolCall[] = []
  for (const part of content) {
    switch (part.type) {
      case 'text':
        text += part.text
        break
      case 'reasoning':
        reasoning += part.text
        break
      case 'tool-call':
        toolCalls.push({
          id: part.toolCallId,
          name: part.toolName,
          arguments: typeof part.input === 'string' ? part.input : JSON.stringify(part.input ?? {}),
        })
        break
      case 'file':
        return refuseFile(part.mediaType)
      case 'tool-result':
        throw new UnsupportedFunctionalityError({
          functionality: `results of tools that a provider ran (${part.toolName})`,
        })
    }
  }
  return {
    role: 'assistant',
    content: text,
    ...(toolCalls.length > 0 && { toolCalls }),
    // For templates that keep the thinking of a tool loop; the others leave it out.
    ...(reasoning !== '' && { reasoning }),
  }
}

function toolText(output: LanguageModelV3ToolResultOutput): string {
  switch (output.type) {
    case 'text':
    case 'error-text':
      return output.value
    case 'json':
    case 'error-json':
      return JSON.stringify(output.value)
    case 'execution-denied':
      return output.reason ?? 'Tool execution was denied.'
    case 'content':
      return output.value
        .map((part) => (part.type === 'text' ? part.text : refuseFile(part.type)))
        .join('')
  }
}

function refuseFile(kind: string): never {
  throw new UnsupportedFunctionalityError({
    functionality: `files in a prompt (${kind})`,
    message: `These models read text only: expected text parts, got a file (${kind})`,
  })
}
