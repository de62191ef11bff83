// What the server says about itself: models, tokens of a text, health, metrics, its own description.
import type { Hono } from 'hono'
import { aliases, type Core, type Ctx, type RequestState } from '../core.ts'
import { ApiError, invalid } from '../errors.ts'
import { openApiDocument } from '../openapi.ts'
import type { Health, Model } from '../protocol/other.ts'
import { detokenizeRequest, tokenizeRequest } from '../schema/other.ts'
import { validate } from '../validate.ts'
import { type Add, both } from './add.ts'

const maxCharacters = 1 << 20

function models(core: Core): readonly Model[] {
  const { info } = core.model
  return [core.modelId, ...Object.keys(aliases)].map((id) => ({
    id,
    object: 'model',
    created: core.created,
    owned_by: 'hadal',
    context_length: info.contextLength,
    architecture: info.architecture,
  }))
}

function oneModel(c: Ctx, core: Core): Response {
  const found = models(core).find(({ id }) => id === c.req.param('id'))
  if (found) return c.json(found)
  throw new ApiError({
    status: 404,
    message: 'no such model',
    param: 'id',
    code: 'model_not_found',
  })
}

async function tokenize(c: Ctx, core: Core): Promise<Response> {
  const body = validate(tokenizeRequest, await core.bodies.json(c.req.raw))
  const { model } = core.resolve(body.model)
  const text = body.content ?? body.prompt
  if (text === null || text === undefined)
    throw invalid('content', 'expected text, got nothing', 'missing_field')
  if (text.length > maxCharacters)
    throw invalid('content', `expected at most ${maxCharacters} characters, got ${text.length}`)
  const options = { bos: body.add_special_tokens ?? false, special: body.parse_special ?? false }
  const tokens = [...model.tokenizer.encode(text, options)]
  return c.json({ tokens, count: tokens.length, max_model_len: model.info.contextLength })
}

async function detokenize(c: Ctx, core: Core): Promise<Response> {
  const body = validate(detokenizeRequest, await core.bodies.json(c.req.raw))
  const { model } = core.resolve(body.model)
  const wrong = body.tokens.findIndex((id) => id >= model.info.vocabularySize)
  if (wrong >= 0)
    throw invalid(
      `tokens[${wrong}]`,
      `expected an id from 0 to ${model.info.vocabularySize - 1}, got ${body.tokens[wrong]}`,
    )
  const content = model.tokenizer.decode(body.tokens)
  return c.json({ content, prompt: content })
}

function health(c: Ctx, core: Core): Response {
  const { state } = core.state
  const status = core.draining ? 'draining' : state === 'ready' ? 'ok' : state
  const progress = state === 'loading' ? core.options.progress?.() : undefined
  const body: Health = {
    status,
    model: core.modelId,
    ...(state === 'ready' && { context_length: core.model.info.contextLength }),
    ...(progress && { progress }),
    ...(state === 'failed' && { error: 'the model could not be loaded; the log says why' }),
  }
  return c.json(body, status === 'ok' ? 200 : 503, status === 'ok' ? {} : { 'retry-after': '2' })
}

function metrics(c: Ctx, core: Core): Response {
  const model = core.state.state === 'ready' ? core.state.model : undefined
  const text = core.metrics.render(model, core.activeChoices)
  return c.body(text, 200, { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' })
}

export function infoRoutes(app: Hono<RequestState>, core: Core, add: Add): void {
  for (const path of both('/models')) {
    add(app, 'get', path, (c) => c.json({ object: 'list', data: models(core) }))
    add(app, 'get', `${path}/:id`, (c) => oneModel(c, core))
  }
  add(app, 'post', '/tokenize', (c) => tokenize(c, core))
  add(app, 'post', '/detokenize', (c) => detokenize(c, core))
  add(app, 'get', '/health', (c) => health(c, core))
  add(app, 'get', '/metrics', (c) => metrics(c, core))
  add(app, 'get', '/openapi.json', (c) => c.json(openApiDocument()))
}
