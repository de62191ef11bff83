// Structured output end to end, with the embedded model at temperature 1: it never learned JSON, so whatever is
// valid is valid by constraint. ajv is the judge.
import { Ajv2020 } from 'ajv/dist/2020.js'
import addFormats from 'ajv-formats'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { schemas } from '../testdata/schemas.ts'
import {
  type ChatFinish,
  type ChatOptions,
  GrammarError,
  type Llm,
  load,
  OptionError,
  type ResponseFormat,
} from './index.ts'

const ajv = new Ajv2020({ strict: false, ownProperties: true })
addFormats.default(ajv)
const questions = [
  'What is 47 * 36?',
  'Sort 42, 7, 93, 15.',
  'How many r are in strawberry?',
  'Hello',
]

let llm: Llm
beforeAll(async () => {
  llm = await load()
})
afterAll(() => llm.dispose())

async function answer(content: string, options: ChatOptions): Promise<ChatFinish> {
  const stream = llm.chat([{ role: 'user', content }], options)
  for (;;) {
    const next = await stream.next()
    if (next.done) return next.value
  }
}

/** All of `work`, 32 at a time. */
async function pooled(work: readonly (() => Promise<void>)[]): Promise<void> {
  let next = 0
  const lane = async () => {
    for (let job = work[next++]; job; job = work[next++]) await job()
  }
  await Promise.all(Array.from({ length: 32 }, lane))
}

describe('a JSON Schema', () => {
  it('holds in 1,000 of 1,000 answers over 50 schemas at temperature 1', {
    timeout: 300_000,
  }, async () => {
    const names = Object.keys(schemas)
    expect(names).toHaveLength(50)
    const problems: string[] = []
    let valid = 0
    const one = async (name: string, seed: number) => {
      const schema = schemas[name] as object
      const finish = await answer(questions[seed % questions.length] as string, {
        ...{ temperature: 1, seed, thinking: false, maxTokens: 480 },
        responseFormat: { type: 'json_schema', schema },
      })
      const validate = ajv.compile(schema)
      if (finish.reason === 'stop' && validate(JSON.parse(finish.text))) valid++
      else problems.push(`${name}, seed ${seed}: ${finish.reason}: ${finish.text}`)
    }
    await pooled(
      names.flatMap((name) => Array.from({ length: 20 }, (_, seed) => () => one(name, seed))),
    )
    expect(problems).toEqual([])
    expect(valid).toBe(1000)
  })

  it('leaves the thinking free and begins after it, also when a budget closes it', {
    timeout: 120_000,
  }, async () => {
    const schema = schemas.answer as object
    const work = Array.from({ length: 32 }, (_, seed) => async () => {
      const budget = seed % 2 === 0 ? { maxReasoningTokens: 24 } : {}
      const finish = await answer('What is 12 + 30?', {
        ...{ temperature: 1, seed, ...budget },
        responseFormat: { type: 'json_schema', schema },
      })
      expect(finish.reasoning).not.toBe('')
      expect(finish.reason).toBe('stop')
      expect(ajv.validate(schema, JSON.parse(finish.text)), finish.text).toBe(true)
    })
    await pooled(work)
  })

  it('changes nothing for others in the same batch, and gives the same answer alone', async () => {
    const asked: ChatOptions = {
      temperature: 1,
      seed: 5,
      thinking: false,
      responseFormat: { type: 'json_schema', schema: schemas.search },
    }
    const free: ChatOptions = { temperature: 1, seed: 6, maxTokens: 60 }
    const [alone, freeAlone] = [await answer('Hello', asked), await answer('Hello', free)]
    const company = await Promise.all([
      ...Array.from({ length: 5 }, () => answer('Hello', asked)),
      answer('Hello', free),
    ])
    expect(company.slice(0, 5).map((finish) => finish.text)).toEqual(Array(5).fill(alone.text))
    expect(company[5]?.text).toBe(freeAlone.text)
    expect(company[5]?.reasoning).toBe(freeAlone.reasoning)
  })

  it('ends as cut when the tokens run out', async () => {
    const finish = await answer('Hello', {
      seed: 1,
      thinking: false,
      maxTokens: 3,
      responseFormat: { type: 'json_schema', schema: schemas.search },
    })
    expect(finish.reason).toBe('length')
    expect(finish.text.startsWith('{')).toBe(true)
  })
})

describe('other formats', () => {
  it('regex, choice and JSON mode', { timeout: 120_000 }, async () => {
    const work = Array.from({ length: 8 }, (_, seed) => async () => {
      const base = { temperature: 1, seed, thinking: false, maxTokens: 150 }
      const ask = (responseFormat: ResponseFormat) => answer('Hello', { ...base, responseFormat })
      expect((await ask({ type: 'regex', pattern: '\\d{4}-\\d{2}' })).text).toMatch(/^\d{4}-\d{2}$/)
      expect(['yes', 'no']).toContain((await ask({ type: 'choice', choices: ['yes', 'no'] })).text)
      const any = await ask({ type: 'json_object' })
      if (any.reason === 'stop') expect(typeof JSON.parse(any.text)).toBe('object')
      else expect(any.text.startsWith('{')).toBe(true)
    })
    await pooled(work)
  })

  it('a greedy model may think first where the choice comes after', async () => {
    const finish = await answer('Which is larger, 9.11 or 9.9?', {
      temperature: 0,
      responseFormat: { type: 'choice', choices: ['9.11', '9.9'] },
    })
    expect(finish.text).toBe('9.9')
    expect(finish.reasoningTokens).toBeGreaterThan(5)
  })
})

describe('what is wrong', () => {
  const fails = (options: unknown) => answer('Hello', options as ChatOptions)
  it('is an error of the request alone, by name', async () => {
    const schema = { type: 'object', patternProperties: {} }
    const bad = fails({ responseFormat: { type: 'json_schema', schema } })
    await expect(bad).rejects.toThrow(GrammarError)
    await expect(bad).rejects.toThrow(
      '#: patternProperties: expected a keyword that constrained output supports',
    )
    await expect(fails({ responseFormat: { type: 'xml' } })).rejects.toThrow(OptionError)
    await expect(fails({ toolChoice: 'required' })).rejects.toThrow('toolChoice: expected tools')
    await expect(fails({ toolChoice: 'maybe' })).rejects.toThrow(OptionError)
    await expect(
      fails({ toolChoice: 'required', tools: [{ function: { name: 'f' } }] }),
    ).rejects.toThrow('without the token')
    await expect(fails({ responseFormat: { type: 'regex', pattern: '(' } })).rejects.toThrow(
      GrammarError,
    )
    expect((await answer('What is 1 + 1?', { temperature: 0 })).reason).toBe('stop')
  })
})
