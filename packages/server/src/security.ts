// Who may talk to the server. Checked in this order: the Host header (a page of a stranger that points its own name at
// this machine is stopped here), the Origin, the key. Everything is closed by default; the caller names what is open.
import { createHash, timingSafeEqual } from 'node:crypto'
import { isIP } from 'node:net'
import { ApiError } from './errors.ts'
import type { ServerOptions } from './options.ts'

const refuse = (status: number, code: string, message: string) =>
  new ApiError({
    status,
    code,
    message,
    ...(status === 401 && { headers: { 'www-authenticate': 'Bearer' } }),
  })

/** The name of a Host header, without port and brackets; undefined when it is none. */
export function hostName(header: string): string | undefined {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([a-zA-Z0-9._-]+))(?::(\d{1,5}))?$/.exec(header)
  const [, six, name] = match ?? []
  if (six !== undefined) return isIP(six) === 6 ? six : undefined
  return name?.toLowerCase().replace(/\.$/, '')
}

/** An address cannot be pointed elsewhere; a name can, so it must be one of ours. */
export function isOwnHost(header: string, allowed: readonly string[]): boolean {
  const name = hostName(header)
  if (name === undefined) return false
  if (allowed.includes('*') || allowed.includes(name)) return true
  return isIP(name) !== 0 || name === 'localhost' || name.endsWith('.localhost')
}

export function checkHost(
  request: Request,
  rawHeaders: readonly string[],
  options: ServerOptions,
): void {
  const hosts = rawHeaders.filter((name, i) => i % 2 === 0 && name.toLowerCase() === 'host')
  if (hosts.length > 1) throw refuse(400, 'invalid_host', 'host: expected one, got several')
  const host = request.headers.get('host') ?? new URL(request.url).host
  if (!isOwnHost(host, options.allowedHosts ?? []))
    throw refuse(403, 'host_not_allowed', 'host: expected localhost, an address or an allowed name')
}

/** The origin to name in CORS headers; undefined: none asked or it is our own page. */
export function checkOrigin(request: Request, options: ServerOptions): string | undefined {
  const origin = request.headers.get('origin')
  if (origin === null) return undefined
  const allowed = options.cors ?? []
  if (allowed.includes('*') || allowed.includes(origin)) return origin
  const host = request.headers.get('host') ?? new URL(request.url).host
  if (origin === `http://${host}` || origin === `https://${host}`) return undefined
  throw refuse(403, 'origin_not_allowed', 'origin: expected this server, or one given by --cors')
}

export function corsHeaders(origin: string): Readonly<Record<string, string>> {
  return {
    'access-control-allow-origin': origin,
    'access-control-allow-methods': 'GET, POST, DELETE, OPTIONS',
    'access-control-allow-headers':
      'authorization, content-type, x-api-key, anthropic-version, anthropic-beta',
    'access-control-expose-headers': 'retry-after, x-request-id',
    'access-control-max-age': '600',
    vary: 'Origin',
  }
}

const digest = (text: string) => createHash('sha256').update(text).digest()

/**
 * Lets a request through, or throws. Returns what keeps the prefix cache of one key apart from that of others, so that
 * nobody can tell by the clock what the others asked; it is the same after a restart. Without keys there is none.
 */
export type KeyCheck = (request: Request) => string | undefined

const saltOf = (key: string) =>
  createHash('sha256').update('hadal prefix cache\0').update(key).digest('hex')

/** Compares digests with every key, so that time tells neither a key's letters nor which one fitted. */
export function keyCheck(keys: readonly string[]): KeyCheck {
  const digests = keys.map(digest)
  return (request) => {
    if (digests.length === 0) return undefined
    const { headers } = request
    const bearer = /^Bearer +(\S+)\s*$/i.exec(headers.get('authorization') ?? '')?.[1]
    const given = bearer ?? headers.get('x-api-key') ?? headers.get('api-key')
    if (given === null || given === undefined)
      throw refuse(
        401,
        'missing_api_key',
        'expected an API key (Authorization: Bearer …), got none',
      )
    const own = digest(given)
    let found = false
    for (const known of digests) found = timingSafeEqual(own, known) || found
    if (!found) throw refuse(401, 'invalid_api_key', 'the API key is none of this server')
    return saltOf(given)
  }
}
