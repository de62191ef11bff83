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
  model: string,
  resume: boolean,
): ChatRequest {
  const messages: WireMessage[] = []
  if (settings.systemPrompt.trim() !== '')
    messages.push({ role: 'system', content: settings.systemPrompt })
  for (const [index, message] of line.entries()) {
    const last = resume && index === line.length - 1
    if (message.role === 'assistant' && !last && message.content === '') continue
    const wire: WireMessage = { role: message.role, content: message.content }
    if (last) {
      wire.prefix = true
      if (message.reasoning) wire.reasoning_content = message.reasoning
    }
    messages.push(wire)
  }
  const request: ChatRequest = {
    model,
    messages,
    stream: true,
    stream_options: { include_usage: true },
    thinking: { type: settings.thinking ? 'enabled' : 'disabled' },
  }
  if (settings.thinking && settings.thinkingBudget !== null)
    request.max_reasoning_tokens = settings.thinkingBudget
  if (settings.maxTokens !== null) request.max_tokens = settings.maxTokens
  if (settings.temperature !== null) request.temperature = settings.temperature
  if (settings.topP !== null) request.top_p = settings.topP
  return request
}
