// Service worker: keeps the page's own files, so that it opens while the server is down or loading. It never
// touches any other request: an address that is not in FILES goes to the network as if it were not there.
const VERSION = '__VERSION__'
const FILES = [
  '__FILES__',
]
const CACHE = `hadal-${VERSION}`

self.addEventListener('install', (event) => {
  event.waitUntil(
    caches
      .open(CACHE)
      .then((cache) => cache.addAll(FILES))
      .then(() => self.skipWaiting()),
  )
})

self.addEventListener('activate', (event) => {
  const old = (names) => names.filter((name) => name.startsWith('hadal-') && name !== CACHE)
  event.waitUntil(
    caches
      .keys()
      .then((names) => Promise.all(old(names).map((name) => caches.delete(name))))
      .then(() => self.clients.claim()),
  )
})

/** The page itself is asked for first and taken from the cache only without an answer. */
async function page(request) {
  try {
    const response = await fetch(request)
    if (response.ok) return response
    return (await caches.match('/', { cacheName: CACHE })) ?? response
  } catch (error) {
    const kept = await caches.match('/', { cacheName: CACHE })
    if (kept) return kept
    throw error
  }
}

self.addEventListener('fetch', (event) => {
  const { request } = event
  const url = new URL(request.url)
  if (request.method !== 'GET' || url.origin !== self.location.origin) return
  if (!FILES.includes(url.pathname)) return
  if (url.pathname === '/') event.respondWith(page(request))
  else
    event.respondWith(
      caches.match(request, { cacheName: CACHE }).then((kept) => kept ?? fetch(request)),
    )
})
