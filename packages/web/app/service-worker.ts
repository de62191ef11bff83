// Registers sw.js through the one trusted-types policy that the page's policy allows, for this one address.

interface PolicyFactory {
  createPolicy(
    name: string,
    rules: { createScriptURL(address: string): string },
  ): { createScriptURL(address: string): unknown }
}

export function registerServiceWorker(): void {
  // Only on HTTPS and loopback; elsewhere the page works without.
  if (!('serviceWorker' in navigator) || !import.meta.env.PROD) return
  const factory = (window as { trustedTypes?: PolicyFactory }).trustedTypes
  const only = (address: string) => {
    if (address !== '/sw.js') throw new TypeError(`not our service worker: ${address}`)
    return address
  }
  const policy = factory?.createPolicy('hadal', { createScriptURL: only })
  const address = policy ? policy.createScriptURL('/sw.js') : '/sw.js'
  navigator.serviceWorker.register(address as string).catch(() => {})
}
