// examples/langchain.mjs against a server that speaks DeepSeek's wire: thinking dimmed, then the answer.
import { execFile } from 'node:child_process'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, it } from 'vitest'

const example = fileURLToPath(new URL('../../../examples/langchain.mjs', import.meta.url))
const deltas = [
  { role: 'assistant', content: null, reasoning_content: '' },
  { content: null, reasoning_content: 'r at 3, ' },
  { content: null, reasoning_content: '8 and 9' },
  { content: 'Th', reasoning_content: null },
  { content: 'ree.', reasoning_content: null },
  {},
]

let server: Server
let seen = ''

beforeAll(async () => {
  server = createServer(async (request, response) => {
    if (request.url === '/v1/models')
      return response.end(JSON.stringify({ object: 'list', data: [{ id: 'r1' }] }))
    for await (const chunk of request) seen += chunk
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    for (const [i, delta] of deltas.entries()) {
      const finish_reason = i === deltas.length - 1 ? 'stop' : null
      const choices = [{ index: 0, delta, finish_reason, logprobs: null }]
      const chunk = { id: 'x', object: 'chat.completion.chunk', created: 1, model: 'r1', choices }
      response.write(`data: ${JSON.stringify(chunk)}\n\n`)
    }
    response.end('data: [DONE]\n\n')
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
})
afterAll(() => server.close())

it('streams thinking and answer through @langchain/deepseek', async () => {
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const { stdout } = await promisify(execFile)(process.execPath, [example, url], {
    cwd: path.dirname(example),
  })
  expect(stdout).toBe('\u001b[2mr at 3, \u001b[22m\u001b[2m8 and 9\u001b[22m\nThree.\n')
  expect(JSON.parse(seen)).toMatchObject({ model: 'r1', stream: true })
})

it('says what to do when nothing answers', async () => {
  const { stdout } = await promisify(execFile)(process.execPath, [example, 'http://127.0.0.1:9'])
  expect(stdout).toContain('start `hadal serve`')
})
