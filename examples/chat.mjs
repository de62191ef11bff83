// One question, the thinking dimmed. `node examples/chat.mjs [checkpoint folder]`
import { load } from 'hadal'

const llm = await load(process.argv[2])
for await (const part of llm.chat([{ role: 'user', content: 'How many r are in strawberry?' }], {
  seed: 1,
}))
  process.stdout.write(part.type === 'reasoning' ? `\x1b[2m${part.text}\x1b[22m` : `\n${part.text}`)
process.stdout.write('\n')
await llm.dispose()
