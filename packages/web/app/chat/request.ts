// From a branch of messages and the reader's settings to the body of a request.
import type { ChatRequest, WireMessage } from '../api/wire.ts'
import type { Settings } from '../settings.ts'
import type { Message } from './types.ts'

/**
 * `line` runs from the first message to the last one that the model should see. With `resume`, the last is an
 * answer to go on from (`prefix: true`), its thinking included; thinking of earlier turns is left out, as
 * DeepSeek's API asks, which also keeps the prefix cache valid.
 */
export function buildRequest(
  line: readonly Message[],
  settings: Settings,
  resume: boolean,
): ChatRequest {
  const messages: WireMessage[] = []
  if (settings.systemPrompt.trim() !== '')
    messages.push({ role: 'system', content: settings.systemPrompt })
  for (const [index, message] of line.entries()) {
    const last = resume && index === line.length - 1
    if (message.role === 'assistant' && !last && message.content === '') continue
    const { role, content, reasoning } = message
    const resumed = last && {
      prefix: true as const,
      ...(reasoning && { reasoning_content: reasoning }),
    }
    messages.push({ role, content, ...resumed })
  }
  const { thinking, thinkingBudget, maxTokens, temperature, topP } = settings
  return {
    messages,
    stream: true,
    stream_options: { include_usage: true },
    thinking: { type: thinking ? 'enabled' : 'disabled' },
    ...(thinking && thinkingBudget !== null && { max_reasoning_tokens: thinkingBudget }),
    ...(maxTokens !== null && { max_tokens: maxTokens }),
    ...(temperature !== null && { temperature }),
    ...(topP !== null && { top_p: topP }),
  }
}
