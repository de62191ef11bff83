// POST /v1/messages and /v1/messages/count_tokens, also under /anthropic, where DeepSeek offers them.
import type { Hono } from 'hono'
import type { Core, Ctx, RequestState } from '../core.ts'
import { type EventStyle, eventStream, jsonWhenReady } from '../respond.ts'
import { countTokensRequest, messagesRequest } from '../schema/messages.ts'
import { validate } from '../validate.ts'
import { startChat } from '../wire/chat-request.ts'
import { anthropicErrorBody } from '../wire/messages-error.ts'
import { countTokens, messagesCall } from '../wire/messages-request.ts'
import { messageEvents, wholeMessage } from '../wire/messages-response.ts'
import { addMethods } from './add.ts'

const styleOf = (c: Ctx): EventStyle => ({
  named: true,
  silence: 'event: ping\ndata: {"type":"ping"}',
  error: (error) => anthropicErrorBody(error, c.get('id')),
})

async function create(c: Ctx, core: Core): Promise<Response> {
  const body = validate(messagesRequest, await core.bodies.json(c.req.raw))
  const call = messagesCall(core, body)
  const job = startChat(c, core, call, { prefix: 'msg_', param: 'messages' })
  const { commentMs } = core.limits
  const style = styleOf(c)
  if (!body.stream) return jsonWhenReady(c, job, wholeMessage(core, job, call), commentMs, style)
  return eventStream(job, messageEvents(core, job, call), commentMs, style)
}

async function count(c: Ctx, core: Core): Promise<Response> {
  const body = validate(countTokensRequest, await core.bodies.json(c.req.raw))
  return c.json({ input_tokens: countTokens(core, body) })
}

export function messagesRoutes(app: Hono<RequestState>, core: Core): void {
  for (const root of ['/v1/messages', '/anthropic/v1/messages']) {
    addMethods(app, root, { post: (c) => create(c, core) })
    addMethods(app, `${root}/count_tokens`, { post: (c) => count(c, core) })
  }
}
