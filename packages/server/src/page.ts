// The chat page: a folder of built files, read once into memory, so that no path of a request ever reaches the file
// system. Scripts that stand in the page itself are allowed by their hash; nothing from elsewhere is.
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync, statSync } from 'node:fs'
import path from 'node:path'
import type { PageFolder } from './options.ts'

const maxFiles = 2000
const maxBytes = 64 << 20

const types: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.mjs': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.json': 'application/json; charset=utf-8',
  '.webmanifest': 'application/manifest+json',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.ico': 'image/x-icon',
  '.webp': 'image/webp',
  '.woff2': 'font/woff2',
  '.wasm': 'application/wasm',
  '.txt': 'text/plain; charset=utf-8',
}

interface Asset {
  readonly bytes: Uint8Array<ArrayBuffer>
  readonly headers: Readonly<Record<string, string>>
}

const sha256 = (bytes: Uint8Array | string) => createHash('sha256').update(bytes).digest('base64')

function policy(html: string): string {
  const inline = [...html.matchAll(/<script(?![^>]*\ssrc=)[^>]*>([\s\S]*?)<\/script>/gi)]
  const hashes = inline.map(([, script]) => ` 'sha256-${sha256(script as string)}'`).join('')
  return [
    "default-src 'self'",
    `script-src 'self'${hashes}`,
    "style-src 'self' 'unsafe-inline'",
    "img-src 'self' data: blob:",
    "font-src 'self' data:",
    "connect-src 'self'",
    "worker-src 'self'",
    "object-src 'none'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join('; ')
}

function asset(file: string, name: string, own: PageFolder['headers']): Asset {
  const bytes = new Uint8Array(readFileSync(file))
  const type = types[path.extname(name).toLowerCase()] ?? 'application/octet-stream'
  // Bundlers put a hash into the names of what never changes.
  const hashed = /[.-][a-zA-Z0-9_-]{8,}\.\w+$/.test(name) && !type.startsWith('text/html')
  const given = Object.entries(own?.(name.slice(1)) ?? {})
  return {
    bytes,
    headers: {
      'content-type': type,
      etag: `"${sha256(bytes).slice(0, 27)}"`,
      'cache-control': hashed ? 'public, max-age=31536000, immutable' : 'no-cache',
      'content-security-policy': policy(
        type.startsWith('text/html') ? String(Buffer.from(bytes)) : '',
      ),
      'cross-origin-opener-policy': 'same-origin',
      ...Object.fromEntries(given.map(([header, value]) => [header.toLowerCase(), value])),
    },
  }
}

export class Page {
  readonly #assets = new Map<string, Asset>()

  /** Throws when the folder is no page: no index.html, or too large. */
  constructor(page: string | PageFolder) {
    const { folder, headers }: PageFolder = typeof page === 'string' ? { folder: page } : page
    let size = 0
    for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
      if (!entry.isFile() || entry.name.startsWith('.')) continue
      const file = path.join(entry.parentPath, entry.name)
      const name = `/${path.relative(folder, file).split(path.sep).join('/')}`
      size += statSync(file).size
      if (this.#assets.size >= maxFiles || size > maxBytes)
        throw new Error(`page: ${folder}: expected at most ${maxFiles} files and ${maxBytes} bytes`)
      this.#assets.set(name, asset(file, name, headers))
    }
    const index = this.#assets.get('/index.html')
    if (!index) throw new Error(`page: ${folder}: expected an index.html, got none`)
    this.#assets.set('/', index)
  }

  has(name: string): boolean {
    return this.#assets.has(name)
  }

  respond(name: string, request: Request): Response | undefined {
    const found = this.#assets.get(name)
    if (!found || (request.method !== 'GET' && request.method !== 'HEAD')) return undefined
    const { bytes, headers } = found
    if (request.headers.get('if-none-match') === headers.etag)
      return new Response(null, { status: 304, headers })
    const length = { 'content-length': String(bytes.length) }
    const body = request.method === 'HEAD' ? null : bytes
    return new Response(body, { headers: { ...headers, ...length } })
  }
}
