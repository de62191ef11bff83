// How sure the model was of its own answer, and how often its MTP module guesses the token after next.
import { load } from 'hadal'

const llm = await load()
const prompt = llm.tokenizer.encode('<｜User｜>What is 47 * 36?<｜Assistant｜><think>\n', {
  bos: true,
  special: true,
})
const answer = []
for await (const { id } of llm.generate(prompt, { temperature: 0 })) answer.push(id)
const ids = Int32Array.of(...prompt, ...answer)
const { logits, mtpLogits } = await llm.forward(ids, { mtp: true })
const V = llm.info.vocabularySize
const row = (values, t) => values.subarray(t * V, (t + 1) * V)
const logprob = (values, id) => {
  const top = Math.max(...values)
  return values[id] - top - Math.log(values.reduce((sum, v) => sum + Math.exp(v - top), 0))
}
let nll = 0
let hits = 0
const first = prompt.length - 1
for (let t = first; t + 1 < ids.length; t++) nll -= logprob(row(logits, t), ids[t + 1])
for (let t = first; t + 2 < ids.length; t++) {
  const guess = row(mtpLogits, t)
  if (guess.indexOf(Math.max(...guess)) === ids[t + 2]) hits++
}
console.log(
  `perplexity ${Math.exp(nll / answer.length).toFixed(3)} over ${answer.length} tokens of its own`,
)
console.log(`MTP right at ${hits} of ${answer.length - 1} positions`)
await llm.dispose()
