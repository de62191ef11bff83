// Eight questions at once: one batch, each answer as if it were alone; one is stopped in the middle.
import { load } from 'hadal'

const llm = await load()
const ask = async (content, signal) => {
  let answer = ''
  for await (const part of llm.chat([{ role: 'user', content }], { temperature: 0, signal }))
    if (part.type === 'text') answer += part.text
  return `${content} ${answer || '(stopped)'}`
}
const questions = Array.from({ length: 7 }, (_, i) => ask(`What is ${11 + i} * ${23 + i}?`))
const stopped = ask('Make 33 from 6 6 3.', AbortSignal.timeout(5))
console.log((await Promise.all([...questions, stopped])).join('\n'))
await llm.dispose()
