// Which addresses of an answer may become links or pictures. A model's answer is hostile text: an image that
// loads by itself carries the chat away in its address, and a link may be a script.

/** A link the reader may follow, or undefined: then only its text is shown. */
export function safeLink(address: string): string | undefined {
  let url: URL
  try {
    url = new URL(address)
  } catch {
    // A relative address would point at this server's own endpoints.
    return undefined
  }
  if (url.protocol === 'mailto:') return url.href
  if (url.protocol !== 'https:' && url.protocol !== 'http:') return undefined
  // user:password@host shows one name and goes to another.
  if (url.username || url.password) return undefined
  return url.href
}

/** Only pixels that are already here; SVG is left out, since it can hold more than pixels. */
export function inlineImage(address: string): string | undefined {
  return /^data:image\/(?:png|jpeg|gif|webp|avif);base64,[a-z\d+/=\s]+$/i.test(address)
    ? address
    : undefined
}

export function hostOf(address: string): string {
  try {
    return new URL(address).host
  } catch {
    return ''
  }
}
