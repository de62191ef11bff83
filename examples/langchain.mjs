// LangChain over HTTP: `hadal serve` in one terminal, `node examples/langchain.mjs [http://127.0.0.1:8000]` in another.
import { ChatDeepSeek } from '@langchain/deepseek'

const url = process.argv[2] ?? process.env.HADAL_URL ?? 'http://127.0.0.1:8000'
const apiKey = process.env.HADAL_API_KEY ?? 'none'
const served = await fetch(`${url}/v1/models`, {
  headers: { authorization: `Bearer ${apiKey}` },
}).then(
  (response) => (response.ok ? response.json() : undefined),
  () => undefined,
)
if (served) {
  const model = new ChatDeepSeek({
    model: served.data[0].id,
    apiKey,
    configuration: { baseURL: `${url}/v1` },
  })
  let answering = false
  for await (const chunk of await model.stream('How many r are in strawberry?')) {
    // LangChain keeps the thinking apart from the content.
    const thought = chunk.additional_kwargs.reasoning_content
    if (thought) process.stdout.write(`\x1b[2m${thought}\x1b[22m`)
    if (!chunk.content) continue
    process.stdout.write(answering ? chunk.content : `\n${chunk.content}`)
    answering = true
  }
  console.log()
} else console.log(`Nothing answers at ${url}: start \`hadal serve\`, or give another address.`)
