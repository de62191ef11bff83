// POST /v1/chat/completions, and the two calls that steer a running one.
import type { Hono } from 'hono'
import type { Core, Ctx, RequestState } from '../core.ts'
import { notFound } from '../errors.ts'
import { eventStream, jsonWhenReady } from '../respond.ts'
import { chatCompletionRequest } from '../schema/chat.ts'
import { validate } from '../validate.ts'
import { chatCall, startChat } from '../wire/chat-request.ts'
import { chatChunks, chatCompletion } from '../wire/chat-response.ts'
import { type Add, both } from './add.ts'

async function chat(c: Ctx, core: Core): Promise<Response> {
  const body = validate(chatCompletionRequest, await core.bodies.json(c.req.raw))
  const call = chatCall(core, body)
  const job = startChat(c, core, call)
  const { commentMs } = core.limits
  if (!body.stream) return jsonWhenReady(c, job, chatCompletion(core, job, call), commentMs)
  const includeUsage = body.stream_options?.include_usage ?? false
  return eventStream(job, chatChunks(core, job, call, includeUsage), commentMs)
}

function control(c: Ctx, core: Core, action: 'end_thinking' | 'cancel'): Response {
  const id = c.req.param('id') ?? ''
  const job = core.jobs.get(id)
  if (!job) throw notFound('no request of this id is running')
  if (action === 'cancel') job.stop('cancelled')
  else job.endThinking()
  return c.json({ id, object: 'chat.completion.control', action })
}

export function chatRoutes(app: Hono<RequestState>, core: Core, add: Add): void {
  for (const path of both('/chat/completions')) {
    add(app, 'post', path, (c) => chat(c, core))
    add(app, 'post', `${path}/:id/end_thinking`, (c) => control(c, core, 'end_thinking'))
    add(app, 'post', `${path}/:id/cancel`, (c) => control(c, core, 'cancel'))
  }
}
