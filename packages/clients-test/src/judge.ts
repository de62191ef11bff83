// A fetch that looks at everything that passes: requests that are answered, responses and every event are held against
// the served OpenAPI document. What a client has cut off is judged up to its last whole event.

import type { Loose } from '@hadal/server/testdata/client'
import { checkEvents, checkReply, conforms, parseEvents } from '@hadal/server/testdata/client'

interface Passed {
  readonly path: string
  readonly method: string
  readonly status: number
  readonly headers: Headers
  readonly request: Loose
  text: string
}

export class Judge {
  readonly #url: string
  readonly #passed: Passed[] = []
  #doc: Loose
  /** Bodies and events judged so far. */
  judged = 0
  /** Requests that were sent. */
  sent = 0

  constructor(url: string) {
    this.#url = url
  }

  /** For clients to use instead of theirs. */
  readonly fetch: typeof fetch = async (input, init) => {
    this.sent++
    const response = await fetch(input, init)
    const { pathname } = new URL(input instanceof Request ? input.url : String(input))
    const { status, headers, body } = response
    const method = (init?.method ?? 'get').toLowerCase()
    const request = typeof init?.body === 'string' ? JSON.parse(init.body) : undefined
    const passed: Passed = { path: pathname, method, status, headers, request, text: '' }
    this.#passed.push(passed)
    const decoder = new TextDecoder()
    const watch = new TransformStream<Uint8Array, Uint8Array>({
      transform(chunk, controller) {
        passed.text += decoder.decode(chunk, { stream: true })
        controller.enqueue(chunk)
      },
    })
    return new Response(body?.pipeThrough(watch) ?? null, { status, headers })
  }

  /** Throws what is wrong with anything that passed since the last call. */
  async settle(): Promise<void> {
    this.#doc ??= await (await fetch(`${this.#url}/openapi.json`)).json()
    for (const passed of this.#passed.splice(0)) this.#check(passed)
  }

  #check({ path, method, status, headers, request, text }: Passed): void {
    const operation =
      this.#doc.paths[path.replace(/(models|responses)\/[^/]+$/, '$1/{id}')]?.[method]
    const schema = operation?.requestBody?.content['application/json'].schema
    if (status === 200 && schema) {
      conforms(this.#doc, schema, request, `request of ${path}`)
      this.judged++
    }
    if (headers.get('content-type')?.startsWith('text/event-stream')) {
      const events = parseEvents(text.slice(0, text.lastIndexOf('\n\n') + 2))
      checkEvents(this.#doc, path, { status, headers, ...events })
      this.judged += events.chunks.length
    } else if (text.trim() !== '') {
      checkReply(this.#doc, path, method, { status, headers, body: JSON.parse(text) })
      this.judged++
    }
  }
}
