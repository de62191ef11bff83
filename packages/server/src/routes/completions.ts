// POST /v1/completions, and /beta/completions under which DeepSeek offers it.
import type { Hono } from 'hono'
import type { Core, Ctx, RequestState } from '../core.ts'
import { eventStream, jsonWhenReady } from '../respond.ts'
import { completionRequest } from '../schema/other.ts'
import { validate } from '../validate.ts'
import { completion, completionChunks, startCompletion } from '../wire/completion.ts'
import type { Add } from './add.ts'

async function complete(c: Ctx, core: Core): Promise<Response> {
  const body = validate(completionRequest, await core.bodies.json(c.req.raw))
  const { job, call } = startCompletion(c, core, body)
  const { commentMs } = core.limits
  if (!body.stream) return jsonWhenReady(c, job, completion(core, job, call), commentMs)
  const includeUsage = body.stream_options?.include_usage ?? false
  return eventStream(job, completionChunks(core, job, call, includeUsage), commentMs)
}

export function completionRoutes(app: Hono<RequestState>, core: Core, add: Add): void {
  for (const path of ['/v1/completions', '/completions', '/beta/completions'])
    add(app, 'post', path, (c) => complete(c, core))
}
