// How a route is added: under a name that log and metrics know it by, and with a 405 for every other method.
import type { Hono } from 'hono'
import type { Ctx, RequestState } from '../core.ts'
import { ApiError } from '../errors.ts'

export type Handler = (c: Ctx) => Response | Promise<Response>
export type Add = (
  app: Hono<RequestState>,
  method: 'get' | 'post',
  path: string,
  handler: Handler,
) => void

/** OpenAI's clients put /v1 in front, DeepSeek's do not. */
export const both = (path: string): readonly string[] => [`/v1${path}`, path]

export const addRoute: Add = (app, method, path, handler) => {
  const name = path.replace(/:(\w+)/g, '{$1}')
  app.all(path, (c) => {
    c.set('route', name)
    // Hono answers HEAD by the handler of GET, without the body.
    const asked = c.req.method === 'HEAD' ? 'GET' : c.req.method
    if (asked === method.toUpperCase()) return handler(c)
    throw new ApiError({
      status: 405,
      message: `method: expected ${method.toUpperCase()}`,
      code: 'method_not_allowed',
      headers: { allow: method === 'get' ? 'GET, HEAD' : 'POST' },
    })
  })
}
