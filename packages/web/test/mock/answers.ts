// Scripted answers of the mock server: a question's words choose one. The texts are what the embedded model
// and R1 like to say; the tests and the screenshots read them.

export interface Script {
  thinking?: string
  answer: string
  toolCalls?: { name: string; arguments: string }[]
  finish?: 'stop' | 'length' | 'tool_calls' | 'insufficient_system_resource'
  /** Tokens per second of thinking and of the answer. */
  thinkingRate?: number
  rate?: number
  /** What the server says the thinking took; measured when left out. */
  reasoningMs?: number
  /** After so many tokens: an error line in the stream, or a cut connection. */
  failAt?: { token: number; how: 'error' | 'cut' }
}

const strawberry: Script = {
  thinking: `The word is "strawberry". I will spell it out and mark every r.

s, t, r, a, w, b, e, r, r, y

Position 1 is s, no. Position 2 is t, no. Position 3 is r, that is one. Position 4 is a, no. Position 5 is w, no. Position 6 is b, no. Position 7 is e, no. Position 8 is r, that makes two. Position 9 is r, that makes three. Position 10 is y, no.

Let me check it from the back, to be sure: y, r, r, e, b, w, a, r, t, s. The r's stand at 2, 3 and 8 from the end. Three again.`,
  answer: `There are **3** r's in "strawberry".

| position | 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9 | 10 |
|---|---|---|---|---|---|---|---|---|---|---|
| letter | s | t | **r** | a | w | b | e | **r** | **r** | y |`,
}

const depth: Script = {
  reasoningMs: 11_800,
  thinking: `Okay, the question is how far light reaches in the sea, and why it fades the way it does. I should start from the fact that each metre of water takes the same share of what is left.

So the intensity at depth z obeys dI/dz = -k I. That is the Beer–Lambert law, and its solution is an exponential.

Let me pick numbers. Very clear ocean water has k of about 0.02 to 0.04 per metre for blue light. At 200 m, the end of the sunlit zone, with k = 0.023 this gives exp(-4.6), which is about 1%. Good, that matches the textbook definition of the euphotic zone.

At 1000 m: exp(-23) is 1e-10. Deep-sea fish can still see that. In the hadal zone, at 6000 m, exp(-138) is about 1e-60, so not a single photon from the surface. I should say that plainly.

A short function would help, and a small table. Then one remark on why red goes first.`,
  answer: `## How light fades with depth

Each metre of water absorbs the same fraction of the light that reaches it, so the intensity obeys

$$
\\frac{dI}{dz} = -k\\,I \\qquad\\Longrightarrow\\qquad I(z) = I_0\\,e^{-kz}
$$

with \\(k \\approx 0.023\\ \\mathrm{m^{-1}}\\) for blue light in the clearest ocean water.

| depth | zone | share of surface light |
|--:|---|--:|
| 200 m | end of the sunlit zone | $1.0 \\times 10^{-2}$ |
| 1,000 m | end of the twilight zone | $1.0 \\times 10^{-10}$ |
| 6,000 m | **hadal zone** | $1.2 \\times 10^{-60}$ |

\`\`\`ts
/** Share of the surface light that is left at a depth, in metres. */
export function lightAt(depth: number, k = 0.023): number {
  return Math.exp(-k * depth)
}
\`\`\`

Red light goes first: its \\(k\\) is about fifteen times larger, which is why everything looks blue below ten metres.`,
}

const product: Script = {
  thinking: '47 * 36 = 47 * 30 + 47 * 6 = 1410 + 282 = 1692.',
  answer: '47 × 36 = **1692**.',
}

const long: Script = {
  answer: Array.from({ length: 160 }, (_, i) =>
    i % 8 === 7
      ? `\`\`\`ts\nconst step${i} = (x: number) => x * ${i} + Math.sin(x)\nexport { step${i} }\n\`\`\``
      : `**Section ${i}.** The sea floor falls away in terraces, and at each of them the pressure grows by another hundred atmospheres; $p_{${i}} = \\rho g h$ says how much. Nothing here is in a hurry, and nothing here is ever seen by the sun.`,
  ).join('\n\n'),
  rate: 3000,
}

const table: [RegExp, Script][] = [
  [/slow/i, { ...strawberry, thinkingRate: 12, rate: 20 }],
  [/strawberry/i, strawberry],
  [/light|deep|sea/i, depth],
  [/47/, product],
  [/long answer/i, long],
  [
    /tool/i,
    {
      thinking: 'I need the weather, so I call the tool.',
      answer: '',
      toolCalls: [{ name: 'get_weather', arguments: '{"city":"Kiel","unit":"celsius"}' }],
      finish: 'tool_calls',
    },
  ],
  [/cut me/i, { ...strawberry, finish: 'length', answer: 'This answer ends in the mid' }],
  [/break the stream/i, { ...strawberry, failAt: { token: 30, how: 'error' } }],
  [/drop the line/i, { ...strawberry, failAt: { token: 30, how: 'cut' } }],
]

export function scriptFor(question: string): Script {
  return (
    table.find(([pattern]) => pattern.test(question))?.[1] ?? { answer: `You said: ${question}` }
  )
}

/** Word-sized pieces, about as long as a tokenizer's. */
export function tokensOf(text: string): string[] {
  return text.match(/\s*\S{1,5}|\s+/g) ?? []
}
