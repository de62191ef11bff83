// POST /v1/responses, and what became of one: GET, DELETE.
import type { Hono } from 'hono'
import type { Core, Ctx, RequestState } from '../core.ts'
import { notFound } from '../errors.ts'
import { eventStream, jsonWhenReady, openAiStyle } from '../respond.ts'
import { responsesRequest } from '../schema/responses.ts'
import { validate } from '../validate.ts'
import { startChat } from '../wire/chat-request.ts'
import { responsesCall } from '../wire/responses-request.ts'
import { responseEvents, wholeResponse } from '../wire/responses-response.ts'
import { addMethods, both } from './add.ts'

const named = { ...openAiStyle, named: true }

async function create(c: Ctx, core: Core): Promise<Response> {
  const body = validate(responsesRequest, await core.bodies.json(c.req.raw))
  const call = responsesCall(core, body)
  const job = startChat(c, core, call, { prefix: 'resp_', param: 'input' })
  const { commentMs } = core.limits
  if (!body.stream) return jsonWhenReady(c, job, wholeResponse(core, job, call), commentMs)
  return eventStream(job, responseEvents(core, job, call), commentMs, named)
}

const missing = () => notFound('no response of this id is in memory')

function retrieve(c: Ctx, core: Core): Response {
  const stored = core.responses.get(c.req.param('id') ?? '')
  if (!stored) throw missing()
  return c.json(stored.response)
}

function remove(c: Ctx, core: Core): Response {
  const id = c.req.param('id') ?? ''
  if (!core.responses.delete(id)) throw missing()
  return c.json({ id, object: 'response.deleted', deleted: true })
}

export function responsesRoutes(app: Hono<RequestState>, core: Core): void {
  for (const path of both('/responses')) {
    addMethods(app, path, { post: (c) => create(c, core) })
    addMethods(app, `${path}/:id`, {
      get: (c) => retrieve(c, core),
      delete: (c) => remove(c, core),
    })
  }
}
