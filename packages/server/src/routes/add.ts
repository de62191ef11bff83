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

type Method = 'get' | 'post' | 'delete'

/** One path with a handler for each of its methods. */
export function addMethods(
  app: Hono<RequestState>,
  path: string,
  handlers: { readonly [M in Method]?: Handler },
): void {
  const name = path.replace(/:(\w+)/g, '{$1}')
  const known = Object.keys(handlers).map((method) => method.toUpperCase())
  app.all(path, (c) => {
    c.set('route', name)
    // Hono answers HEAD by the handler of GET, without the body.
    const asked = c.req.method === 'HEAD' ? 'GET' : c.req.method
    const handler = known.includes(asked) ? handlers[asked.toLowerCase() as Method] : undefined
    if (handler) return handler(c)
    throw new ApiError({
      status: 405,
      message: `method: expected ${known.join(' or ')}`,
      code: 'method_not_allowed',
      headers: { allow: known.flatMap((m) => (m === 'GET' ? ['GET', 'HEAD'] : m)).join(', ') },
    })
  })
}

export const addRoute: Add = (app, method, path, handler) =>
  addMethods(app, path, { [method]: handler })
