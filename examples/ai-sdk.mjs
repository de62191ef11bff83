// The AI SDK over the embedded model, in this process: thinking, then the answer. `node examples/ai-sdk.mjs [folder]`
import { createHadal } from '@hadal/ai-sdk-provider'
import { streamText } from 'ai'
import { load } from 'hadal'

const hadal = createHadal(() => load(process.argv[2]))
const result = streamText({
  model: hadal(),
  prompt: 'How many r are in strawberry?',
  seed: 1,
  providerOptions: { hadal: { maxReasoningTokens: 300 } },
})
for await (const part of result.fullStream) {
  if (part.type === 'reasoning-delta') process.stdout.write(`\x1b[2m${part.text}\x1b[22m`)
  if (part.type === 'text-start') process.stdout.write('\n')
  if (part.type === 'text-delta') process.stdout.write(part.text)
  if (part.type === 'error') throw part.error
}
const { inputTokens, outputTokens, reasoningTokens } = await result.totalUsage
console.log(`\n${inputTokens} tokens in, ${outputTokens} out, ${reasoningTokens} of thinking`)
await hadal.dispose()
