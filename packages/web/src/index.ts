// Where the chat page lies on disk, and the headers a server must send with its files. The page is built
// for this policy: no inline script, no inline style, no request to any other origin.
import { fileURLToPath } from 'node:url'

/** Absolute path of the folder that holds `index.html`; serve it at `/`. */
export const pagePath: string = fileURLToPath(new URL('../dist/page/', import.meta.url))

/**
 * `Content-Security-Policy` of every response of the page. Images other than ours can come only from data:
 * addresses, so a model's answer cannot carry text away in an image address; trusted types leave the page's
 * one policy (the address of its service worker) as the only way from a string to a script.
 */
export const contentSecurityPolicy: string = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "font-src 'self'",
  "connect-src 'self'",
  "manifest-src 'self'",
  "worker-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
  'trusted-types hadal',
].join('; ')

const types: Record<string, string> = {
  html: 'text/html; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
  css: 'text/css; charset=utf-8',
  svg: 'image/svg+xml',
  png: 'image/png',
  woff2: 'font/woff2',
  webmanifest: 'application/manifest+json; charset=utf-8',
  txt: 'text/plain; charset=utf-8',
}

/** All headers for one file of the page; `file` is its path under `pagePath`, such as `assets/a-1b2c.js`. */
export function pageHeaders(file: string): Record<string, string> {
  const extension = file.slice(file.lastIndexOf('.') + 1)
  return {
    'Content-Type': types[extension] ?? 'application/octet-stream',
    // Names under assets/ carry a digest of their content; everything else is asked for again.
    'Cache-Control': file.startsWith('assets/')
      ? 'public, max-age=31536000, immutable'
      : 'no-cache',
    'Content-Security-Policy': contentSecurityPolicy,
    'X-Content-Type-Options': 'nosniff',
    'X-Frame-Options': 'DENY',
    'Referrer-Policy': 'no-referrer',
    'Cross-Origin-Opener-Policy': 'same-origin',
    'Cross-Origin-Resource-Policy': 'same-origin',
    'Permissions-Policy': 'camera=(), microphone=(), geolocation=(), interest-cohort=()',
    'X-DNS-Prefetch-Control': 'off',
  }
}
