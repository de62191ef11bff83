// The embedded model on its 700 problems, through llm.chat with 16 requests at once, in BF16 and as shipped.
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { nanoPath } from '@hadal/nano'
import { fixture } from '@hadal/testing'
import { describe, expect, it } from 'vitest'
import { type Llm, load } from './index.ts'

interface Problem {
  readonly task: string
  readonly question: string
  readonly answer?: string
  readonly numbers?: readonly number[]
  readonly target?: number
}

const lines = (file: string) => readFileSync(file, 'utf8').trim().split('\n')
const problems: Problem[] = lines(path.join(fixture('nano-bf16'), 'problems.jsonl')).map((line) =>
  JSON.parse(line),
)

/** Mean over the seven kinds that the model's training measured with thinking. */
const measuredMean = 0.863

/** An expression that uses each number once and gives the target. */
function solves(expression: string, problem: Problem): boolean {
  if (!/^[\d+\-*/() ]+$/.test(expression)) return false
  const used = [...expression.matchAll(/\d+/g)].map(Number).sort((a, b) => a - b)
  const given = [...(problem.numbers ?? [])].sort((a, b) => a - b)
  if (used.join() !== given.join()) return false
  try {
    return (
      Math.abs(Number(new Function(`return (${expression})`)()) - (problem.target ?? Number.NaN)) <
      1e-9
    )
  } catch {
    return false // no expression after all
  }
}

const right = (answer: string, problem: Problem): boolean =>
  problem.task === 'countdown' ? solves(answer, problem) : answer === problem.answer

async function score(llm: Llm): Promise<Map<string, number>> {
  const tasks = new Map<string, { right: number; all: number }>()
  let next = 0
  const worker = async () => {
    for (let problem = problems[next++]; problem; problem = problems[next++]) {
      let answer = ''
      for await (const part of llm.chat([{ role: 'user', content: problem.question }], {
        temperature: 0,
        maxTokens: 320,
      }))
        if (part.type === 'text') answer += part.text
      const task = tasks.get(problem.task) ?? { right: 0, all: 0 }
      tasks.set(problem.task, {
        right: task.right + (right(answer.trim(), problem) ? 1 : 0),
        all: task.all + 1,
      })
    }
  }
  await Promise.all(Array.from({ length: 16 }, worker))
  return new Map([...tasks].map(([name, { right, all }]) => [name, right / all]))
}

describe.each([
  ['BF16', fixture('nano-bf16')],
  ['FP8, as shipped', nanoPath],
])('the embedded model in %s', (name, folder) => {
  it('solves within a point of what its training measured', { timeout: 300_000 }, async () => {
    const llm = await load(folder)
    const started = performance.now()
    try {
      const scores = await score(llm)
      const mean = [...scores.values()].reduce((sum, s) => sum + s, 0) / scores.size
      const table = [...scores].map(([task, s]) => `${task} ${s.toFixed(2)}`).join(', ')
      const seconds = ((performance.now() - started) / 1000).toFixed(1)
      process.stdout.write(`${name}: mean ${mean.toFixed(3)} (${table}) in ${seconds} s\n`)
      expect(scores.size).toBe(7)
      expect(Math.abs(mean - measuredMean)).toBeLessThanOrEqual(0.01)
    } finally {
      await llm.dispose()
    }
  })
})

describe('golden.jsonl', () => {
  it('comes out id for id in reference precision, eight at once', {
    timeout: 120_000,
  }, async () => {
    const llm = await load(fixture('nano-bf16'), { precision: 'reference' })
    try {
      const goldens = lines(path.join(fixture('nano-bf16'), 'golden.jsonl')).map((line) =>
        JSON.parse(line),
      )
      await Promise.all(
        goldens.map(async ({ prompt_ids, output_ids, question }) => {
          const ids: number[] = []
          for await (const { id } of llm.generate(prompt_ids, { temperature: 0 })) ids.push(id)
          expect(ids, question).toEqual(output_ids.filter((id: number) => id !== 1))
        }),
      )
    } finally {
      await llm.dispose()
    }
  })
})
