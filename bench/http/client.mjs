// One streamed request to /v1/chat/completions and the times of what came back. Times are performance.now() of the
// read that brought an event, taken before it is parsed.
import http from 'node:http'
import https from 'node:https'
import { StringDecoder } from 'node:string_decoder'

/** Splits bytes into the payloads of `data:` lines; comments and other fields are left out. */
export class SseReader {
  #decoder = new StringDecoder('utf8')
  #rest = ''

  push(bytes) {
    const lines = (this.#rest + this.#decoder.write(bytes)).split('\n')
    this.#rest = lines.pop()
    return lines
      .filter((line) => line.startsWith('data:'))
      .map((line) => line.slice(5).replace(/\r$/, '').trim())
      .filter((payload) => payload !== '')
  }
}

/** Never waits for a free socket: a queue in the client would hide a queue in the server. */
export function createAgent(url) {
  const { Agent } = url.protocol === 'https:' ? https : http
  return new Agent({ keepAlive: true, maxSockets: Number.POSITIVE_INFINITY, maxFreeSockets: 1024 })
}

class Recording {
  /** Of each event that brought text. */
  times = []
  usage = undefined
  finishReason = undefined
  error = undefined
  done = false

  take(payload, at) {
    if (payload === '[DONE]') {
      this.done = true
      return
    }
    let event
    try {
      event = JSON.parse(payload)
    } catch {
      this.error ??= 'not_json'
      return
    }
    if (event.error) this.error ??= `stream: ${event.error.code ?? event.error.type ?? 'error'}`
    if (event.usage) this.usage = event.usage
    const choice = event.choices?.[0]
    if (choice?.finish_reason) this.finishReason = choice.finish_reason
    const { content, reasoning_content, reasoning, tool_calls } = choice?.delta ?? {}
    if (content || reasoning_content || reasoning || tool_calls?.length) this.times.push(at)
  }

  /** An answer that was cut off is an error, also where the socket closed in order. */
  get verdict() {
    if (this.error) return this.error
    return this.finishReason || this.done ? undefined : 'cut_off'
  }
}

/**
 * Sends one request and settles when it is over; never rejects. Result: { startedAt, headersAt, times, endedAt, status,
 * usage, finishReason, error }, error being undefined or a short name.
 */
export async function send(request) {
  const startedAt = performance.now()
  const result = await attempt(request)
  // The server may close an idle socket in the moment in which it is used again; that says nothing about the server.
  const stale = result.reused && result.status === 0 && result.error === 'ECONNRESET'
  const { reused: _, ...last } = stale ? await attempt(request) : result
  return { startedAt, ...last }
}

function attempt({ url, agent, apiKey, body, timeoutMs = 120_000 }) {
  const recording = new Recording()
  let [status, headersAt] = [0, 0]
  return new Promise((resolve) => {
    let timer
    const settle = (error) => {
      clearTimeout(timer)
      const { times, usage, finishReason } = recording
      const [endedAt, reused] = [performance.now(), req.reusedSocket]
      resolve({ headersAt, times, endedAt, status, usage, finishReason, error, reused })
    }
    const { request } = url.protocol === 'https:' ? https : http
    const headers = {
      'content-type': 'application/json',
      accept: 'text/event-stream',
      ...(apiKey && { authorization: `Bearer ${apiKey}` }),
    }
    const req = request(url, { method: 'POST', agent, headers }, (response) => {
      headersAt = performance.now()
      status = response.statusCode
      const reader = new SseReader()
      response.on('data', (bytes) => {
        const at = performance.now()
        if (status === 200) for (const payload of reader.push(bytes)) recording.take(payload, at)
      })
      response.on('end', () => settle(status === 200 ? recording.verdict : `http_${status}`))
      response.on('error', (error) => settle(error.code ?? 'socket'))
    })
    timer = setTimeout(() => {
      settle('timeout')
      req.destroy()
    }, timeoutMs)
    req.on('error', (error) => settle(error.code ?? 'socket'))
    req.end(JSON.stringify(body))
  })
}
