// Continues a text and shows each token's probability and its rivals. `node examples/logprobs.mjs`
import { load } from 'hadal'

const llm = await load()
const prompt = '<｜User｜>What is 8 + 5?<｜Assistant｜></think>'
const ids = llm.tokenizer.encode(prompt, { bos: true, special: true })
for await (const { id, logprob, top } of llm.generate(ids, { temperature: 0, topLogprobs: 3 })) {
  const rivals = top.map(
    (t) => `${JSON.stringify(llm.tokenizer.decode([t.id]))} ${Math.exp(t.logprob).toFixed(3)}`,
  )
  console.log(
    JSON.stringify(llm.tokenizer.decode([id])),
    Math.exp(logprob).toFixed(3),
    `(${rivals.join(', ')})`,
  )
}
await llm.dispose()
