// A server that speaks the wire with known delays, to test the load generator against. It keeps the times at which it
// wrote, so that a test can hold what the client measured against what happened.
import { createServer } from 'node:http'

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms))

/**
 * `plan(i, body)` says how request i goes: { first, gap, tokens, reasoning?, status?, cutAfter?, errorAfter?, cached? },
 * times in ms. `serial`: one request at a time, the others wait.
 */
export async function startMock(plan, { serial = false } = {}) {
  const log = []
  let turn = Promise.resolve()
  const server = createServer(async (request, response) => {
    const arrivedAt = performance.now()
    let text = ''
    for await (const chunk of request) text += chunk
    const body = JSON.parse(text)
    const entry = { arrivedAt, body, writes: [] }
    const i = log.push(entry) - 1
    const run = () => answer(response, plan(i, body), entry)
    turn = serial ? turn.then(run) : run()
    await turn
  })
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    log,
    async close() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

async function answer(response, plan, entry) {
  const { first = 0, gap = 0, tokens = 1, reasoning = 0, status = 200, cached = 0 } = plan
  if (status !== 200) {
    response.writeHead(status, { 'content-type': 'application/json' })
    return response.end(JSON.stringify({ error: { message: 'no', code: null } }))
  }
  const write = (fields) => response.write(`data: ${JSON.stringify({ id: 'm', ...fields })}\n\n`)
  const delta = (fields, finish_reason = null) =>
    write({ choices: [{ index: 0, delta: fields, finish_reason }] })
  response.writeHead(200, { 'content-type': 'text/event-stream' })
  response.write(': keep-alive\n\n')
  delta({ role: 'assistant', content: null, reasoning_content: '' })
  for (let i = 0; i < tokens; i++) {
    await sleep(i === 0 ? first : gap)
    if (response.destroyed) return
    if (i === plan.cutAfter) return response.destroy()
    if (i === plan.errorAfter) {
      write({ error: { message: 'broke', type: 'server_error', code: null } })
      return response.end()
    }
    delta(i < reasoning ? { reasoning_content: 'é' } : { content: 'x', reasoning_content: null })
    entry.writes.push(performance.now())
  }
  delta({}, 'stop')
  const prompt_tokens = JSON.stringify(entry.body.messages).split(/\s+/).length
  const usage = {
    ...{ prompt_tokens, completion_tokens: tokens, prompt_cache_hit_tokens: cached },
    completion_tokens_details: { reasoning_tokens: reasoning },
  }
  write({ choices: [], usage })
  response.end('data: [DONE]\n\n')
}
