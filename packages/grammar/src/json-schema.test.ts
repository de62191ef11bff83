// JSON Schema, keyword by keyword: texts that must be allowed and texts that must not, byte by byte; ajv is the
// judge of what the tables claim, and of texts that the matcher chose itself.
import { Ajv2020 } from 'ajv/dist/2020.js'
import addFormats from 'ajv-formats'
import { describe, expect, it } from 'vitest'
import { GrammarError, jsonObject, jsonSchema } from './index.ts'
import { accepts, generate, random, vocabulary } from './testing.ts'

const ajv = new Ajv2020({ strict: false, ownProperties: true })
addFormats.default(ajv)

interface Case {
  readonly name: string
  readonly schema: unknown
  /** Texts that the grammar allows; each is valid. */
  readonly yes: readonly string[]
  /** Texts that it does not allow. */
  readonly no: readonly string[]
}

const tree = {
  $ref: '#/$defs/node',
  $defs: {
    node: {
      type: 'object',
      properties: {
        v: { type: 'integer' },
        kids: { type: 'array', items: { $ref: '#/$defs/node' } },
      },
      required: ['v'],
    },
  },
}
const person = {
  type: 'object',
  properties: { name: { type: 'string' }, age: { type: 'integer' }, tag: { type: 'null' } },
  required: ['name'],
  additionalProperties: false,
}

const cases: readonly Case[] = [
  {
    name: 'true',
    schema: true,
    yes: ['1', '"x"', 'null', '[1, {"a": []}]', '{}', '-0.5e10'],
    no: ['', '01', "'x'", '[1,]', '{"a"}', 'nul', '+1', '.5', '1.'],
  },
  {
    name: 'type string',
    schema: { type: 'string' },
    yes: ['""', '"é数😀"', '"\\n\\u00e9\\"\\/"', '"\\ud83d\\ude00"', '" "'],
    no: ['"', '"\n"', '"\\x"', '"\\ud83d"', '"\\ude00"', '"\t"', '1'],
  },
  {
    name: 'type number',
    schema: { type: 'number' },
    yes: ['0', '-1', '3.25', '1e9', '-2.5E-3'],
    no: ['-', '1.', '00', 'NaN', '1e', '"1"'],
  },
  {
    name: 'type integer',
    schema: { type: 'integer' },
    yes: ['0', '-12', '999999999999999'],
    no: ['1.0', '01', '1e3', '-', '-0', '9999999999999999'],
  },
  {
    name: 'type boolean, null',
    schema: { type: ['boolean', 'null'] },
    yes: ['true', 'false', 'null'],
    no: ['True', '0', '""'],
  },
  {
    name: 'types of several kinds',
    schema: { type: ['integer', 'string'], minimum: 5, maxLength: 1 },
    yes: ['5', '"a"', '""'],
    no: ['4', '"ab"', '1.5'],
  },
  {
    name: 'enum',
    schema: { enum: ['red', 'green', 'greenish', 1, null, { a: [1] }] },
    yes: ['"red"', '"green"', '"greenish"', '1', 'null', '{"a":[1]}'],
    no: ['"gree"', '"blue"', '"re"', '2', '{"a": [1]}'],
  },
  {
    name: 'enum with type',
    schema: { type: 'string', enum: ['a', 1, null] },
    yes: ['"a"'],
    no: ['1', 'null'],
  },
  { name: 'const', schema: { const: 'a"b\\\n' }, yes: ['"a\\"b\\\\\\n"'], no: ['"a"', '"a\\"b"'] },
  {
    name: 'properties',
    schema: person,
    yes: [
      '{"name":"a"}',
      '{"name": "a", "age": 1}',
      '{"name":"a","tag":null}',
      '{"name":"a","age":2,"tag":null}',
      '{\n  "name": "a",\n  "age": 3\n}',
      '{ "name": "a" }',
    ],
    no: [
      '{}',
      '{"age":1}',
      '{"name":"a","other":1}',
      '{"name":"a",}',
      '{"age":1,"name":"a"}',
      '{"name":"a","name":"b"}',
      '{  "name":"a"}',
      '{"name"  :"a"}',
      '{\n\n"name":"a"}',
      '{"name" :"a"}',
    ],
  },
  {
    name: 'optional only',
    schema: {
      properties: { a: { type: 'integer' }, b: { type: 'integer' } },
      additionalProperties: false,
    },
    yes: ['{}', '{ }', '{"a":1}', '{"b":1}', '{"a":1,"b":2}'],
    no: ['{,"b":1}', '{"b":1,"a":1}', '{"a":1 "b":2}'],
  },
  {
    name: 'required without properties',
    schema: { type: 'object', required: ['x'], additionalProperties: { type: 'integer' } },
    yes: ['{"x":1}', '{"x":1,"y":2}'],
    no: ['{}', '{"y":1}', '{"x":"a"}'],
  },
  {
    name: 'additionalProperties true',
    schema: {
      properties: { ab: { type: 'integer' }, abc: { type: 'null' } },
      additionalProperties: true,
    },
    yes: [
      '{}',
      '{"ab":1,"x":[]}',
      '{"a":"s"}',
      '{"abd":1}',
      '{"b":1,"c":2}',
      '{"":0}',
      '{"abc":null,"é":1}',
    ],
    no: ['{"ab":"s"}', '{"abc":1}', '{"x":1,"ab":2}', '{"x":1,}', '{"a\\u0062":"s"}'],
  },
  {
    name: 'additionalProperties schema',
    schema: { type: 'object', additionalProperties: { type: 'boolean' } },
    yes: ['{}', '{"a":true,"b":false}'],
    no: ['{"a":1}'],
  },
  {
    name: 'names of every object',
    schema: {
      type: 'object',
      properties: {
        __proto__x: { type: 'null' },
        constructor: { type: 'integer' },
        toString: { type: 'integer' },
      },
      required: ['constructor'],
    },
    yes: ['{"constructor":1}', '{"constructor":1,"toString":2}'],
    no: ['{}'],
  },
  {
    name: 'items',
    schema: { type: 'array', items: { type: 'integer' } },
    yes: ['[]', '[1]', '[1,2, 3]', '[\n 1\n]'],
    no: ['[1,]', '["a"]', '[,1]', '[1 2]'],
  },
  {
    name: 'minItems, maxItems',
    schema: { type: 'array', items: { type: 'null' }, minItems: 2, maxItems: 3 },
    yes: ['[null,null]', '[null, null, null]'],
    no: ['[]', '[null]', '[null,null,null,null]'],
  },
  {
    name: 'prefixItems',
    schema: {
      type: 'array',
      prefixItems: [{ type: 'integer' }, { type: 'string' }],
      items: { type: 'null' },
    },
    yes: ['[]', '[1]', '[1,"a"]', '[1,"a",null,null]'],
    no: ['["a"]', '[1,null]', '[1,"a",2]'],
  },
  {
    name: 'prefixItems closed',
    schema: { prefixItems: [{ const: 1 }, { const: 2 }], minItems: 1 },
    yes: ['[1]', '[1,2]'],
    no: ['[]', '[2]', '[1,2,3]'],
  },
  {
    name: 'maxItems below the tuple',
    schema: { prefixItems: [{ const: 1 }, { const: 2 }, { const: 3 }], maxItems: 2 },
    yes: ['[]', '[1,2]'],
    no: ['[1,2,3]'],
  },
  { name: 'items false', schema: { type: 'array', items: false }, yes: ['[]'], no: ['[1]'] },
  {
    name: 'anyOf',
    schema: { anyOf: [{ type: 'integer' }, { type: 'string', maxLength: 1 }] },
    yes: ['1', '"a"'],
    no: ['"ab"', 'true'],
  },
  {
    name: 'anyOf beside keywords',
    schema: {
      type: 'object',
      properties: { a: { type: 'integer' } },
      anyOf: [{ required: ['a'] }, { properties: { b: { type: 'null' } }, required: ['b'] }],
    },
    yes: ['{"a":1}', '{"a":1,"b":null}', '{"b":null}'],
    no: ['{}'],
  },
  {
    name: 'oneOf by type',
    schema: { oneOf: [{ type: 'integer' }, { type: 'string' }] },
    yes: ['1', '"a"'],
    no: ['null'],
  },
  {
    name: 'oneOf by a tag',
    schema: {
      oneOf: [
        {
          type: 'object',
          properties: { k: { const: 'a' }, x: { type: 'integer' } },
          required: ['k', 'x'],
        },
        { type: 'object', properties: { k: { const: 'b' } }, required: ['k'] },
      ],
    },
    yes: ['{"k":"a","x":1}', '{"k":"b"}'],
    no: ['{"k":"a"}', '{"k":"c"}'],
  },
  {
    name: 'allOf',
    schema: {
      allOf: [
        { type: 'object', properties: { a: { type: 'number' } }, required: ['a'] },
        { properties: { a: { minimum: 2, type: 'integer' }, b: { type: 'null' } } },
      ],
    },
    yes: ['{"a":2}', '{"a":3,"b":null}'],
    no: ['{"a":1}', '{"a":2.5}', '{"b":null}'],
  },
  {
    name: 'allOf of enums and bounds',
    schema: { allOf: [{ enum: ['a', 'b', 'c'] }, { enum: ['b', 'c', 'd'] }] },
    yes: ['"b"', '"c"'],
    no: ['"a"', '"d"'],
  },
  {
    name: '$ref',
    schema: {
      $defs: { 'a/b~c': { type: 'integer' } },
      type: 'array',
      items: { $ref: '#/$defs/a~1b~0c' },
    },
    yes: ['[1]'],
    no: ['["a"]'],
  },
  {
    name: '$ref beside keywords',
    schema: { $defs: { n: { type: 'integer', minimum: 3 } }, $ref: '#/$defs/n', maximum: 5 },
    yes: ['3', '5'],
    no: ['2', '6'],
  },
  {
    name: '$ref recursive',
    schema: tree,
    yes: ['{"v":1}', '{"v":1,"kids":[{"v":2,"kids":[]},{"v":3}]}'],
    no: ['{"kids":[]}', '{"v":1,"kids":[1]}'],
  },
  {
    name: '$ref to the root',
    schema: { anyOf: [{ type: 'null' }, { type: 'array', items: { $ref: '#' }, maxItems: 2 }] },
    yes: ['null', '[]', '[null,[null]]'],
    no: ['[null,null,null]', '1'],
  },
  {
    name: 'minLength, maxLength',
    schema: { type: 'string', minLength: 2, maxLength: 3 },
    yes: ['"ab"', '"é数😀"', '"\\n\\u00e9"', '"\\ud83d\\ude00a"'],
    no: ['"a"', '"abcd"', '""', '"\\ud83d\\ude00"'],
  },
  {
    name: 'pattern',
    schema: { type: 'string', pattern: '^[a-c]+\\d{2,3}$' },
    yes: ['"a12"', '"abc123"'],
    no: ['"a1"', '"12"', '"a1234"', '"d12"'],
  },
  {
    name: 'pattern, not anchored',
    schema: { type: 'string', pattern: 'b' },
    yes: ['"b"', '"abc"', '"a\\nb"', '"b\\"\\\\"'],
    no: ['"a"', '""'],
  },
  {
    name: 'pattern with escapes',
    schema: { type: 'string', pattern: '^["\\\\\\n\\x01]+$' },
    yes: ['"\\"\\\\\\n\\u0001"'],
    no: ['"\\u000a"', '"a"'],
  },
  {
    name: 'pattern with length',
    schema: { type: 'string', pattern: '^(ab|c)*$', minLength: 3, maxLength: 4 },
    yes: ['"abc"', '"cccc"', '"abab"', '"cab"'],
    no: ['"ab"', '"ccccc"', '"aba"', '"cc"'],
  },
  {
    name: 'format with pattern',
    schema: { type: 'string', format: 'date', pattern: '^20[0-3]' },
    yes: ['"2024-02-29"', '"2039-01-01"'],
    no: ['"1999-01-01"', '"2040-01-01"', '"2023-02-29"', '"20"'],
  },
  {
    name: 'format with a pattern of its own, as zod writes it',
    schema: {
      type: 'string',
      format: 'uuid',
      pattern:
        '^([0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[1-8][0-9a-fA-F]{3}-[89abAB][0-9a-fA-F]{3}-[0-9a-fA-F]{12}|00000000-0000-0000-0000-000000000000)$',
    },
    yes: ['"123e4567-e89b-12d3-a456-426614174000"', '"00000000-0000-0000-0000-000000000000"'],
    no: ['"123e4567-e89b-92d3-a456-426614174000"'],
  },
  {
    name: 'bounds as zod writes them',
    schema: { type: 'integer', minimum: -9007199254740991, maximum: 9007199254740991 },
    yes: ['0', '-5', '999999999999999'],
    no: ['1.5', '1e3'],
  },
  {
    name: 'bounds of numbers beyond 15 digits',
    schema: { type: 'number', minimum: -1e300, maximum: 1e20 },
    yes: ['0', '-5.25', '999999999999999'],
    no: ['1e30', '-'],
  },
  {
    name: 'pattern alternatives',
    schema: { type: 'string', pattern: '^a|b$' },
    yes: ['"a"', '"axx"', '"xxb"'],
    no: ['"x"', '"ba"'],
  },
  {
    name: 'format date',
    schema: { type: 'string', format: 'date' },
    yes: ['"2024-02-29"', '"1999-12-31"', '"2000-02-29"'],
    no: ['"2023-02-29"', '"1900-02-29"', '"2024-13-01"', '"2024-04-31"'],
  },
  {
    name: 'format date-time',
    schema: { type: 'string', format: 'date-time' },
    yes: ['"2024-02-29T23:59:59Z"', '"2024-01-01T00:00:00.5+02:00"'],
    no: ['"2024-01-01"', '"2024-01-01T24:00:00Z"', '"2024-01-01T00:00:00"'],
  },
  {
    name: 'format time',
    schema: { type: 'string', format: 'time' },
    yes: ['"12:30:00Z"'],
    no: ['"12:30"', '"25:00:00Z"'],
  },
  {
    name: 'format uuid',
    schema: { type: 'string', format: 'uuid' },
    yes: ['"123e4567-e89b-12d3-a456-426614174000"'],
    no: ['"123e4567"'],
  },
  {
    name: 'format email',
    schema: { type: 'string', format: 'email' },
    yes: ['"a.b@example.com"'],
    no: ['"a@"', '"a"', '"@b.c"'],
  },
  {
    name: 'format ipv4',
    schema: { type: 'string', format: 'ipv4' },
    yes: ['"0.0.0.0"', '"192.168.1.255"'],
    no: ['"256.1.1.1"', '"1.1.1"', '"01.1.1.1"'],
  },
  {
    name: 'format ipv6',
    schema: { type: 'string', format: 'ipv6' },
    yes: ['"::"', '"::1"', '"2001:db8::8a2e:370:7334"', '"1:2:3:4:5:6:7:8"'],
    no: ['":"', '"1::2::3"', '"1:2:3:4:5:6:7"', '"g::"'],
  },
  {
    name: 'format uri',
    schema: { type: 'string', format: 'uri' },
    yes: ['"https://example.com/a?b=c#d"', '"http://a.b"'],
    no: ['"example.com"', '"http://"', '"/a"'],
  },
  {
    name: 'format with length',
    schema: { type: 'string', format: 'hostname', maxLength: 3 },
    yes: ['"a.b"', '"abc"'],
    no: ['"a.bc"', '""', '"-"'],
  },
  {
    name: 'minimum, maximum of integers',
    schema: { type: 'integer', minimum: -12, maximum: 105 },
    yes: ['-12', '-9', '-1', '0', '9', '10', '99', '100', '105'],
    no: ['-13', '106', '-100', '200', '-0'],
  },
  {
    name: 'exclusive bounds',
    schema: { type: 'integer', exclusiveMinimum: 3, exclusiveMaximum: 6.5 },
    yes: ['4', '6'],
    no: ['3', '7'],
  },
  {
    name: 'bounds with fractions',
    schema: { type: 'integer', minimum: 1.5, maximum: 3.5 },
    yes: ['2', '3'],
    no: ['1', '4'],
  },
  {
    name: 'minimum of integers',
    schema: { type: 'integer', minimum: 100 },
    yes: ['100', '101', '1000', '999999999999999'],
    no: ['99', '-100', '0'],
  },
  {
    name: 'bounds of numbers',
    schema: { type: 'number', minimum: -1.5, maximum: 12.25 },
    yes: ['-1.5', '-1.50', '-1.49', '-0.1', '0', '0.0', '12.25', '12.2', '12', '9.999'],
    no: ['-1.51', '-2', '12.26', '13', '12.251', '1e1'],
  },
  {
    name: 'exclusive bounds of numbers',
    schema: { type: 'number', exclusiveMinimum: 0, exclusiveMaximum: 1 },
    yes: ['0.1', '0.999', '0.0001'],
    no: ['0', '0.0', '1', '1.0', '-0.5'],
  },
  {
    name: 'minimum of numbers',
    schema: { type: 'number', minimum: 0.05 },
    yes: ['0.05', '0.1', '1', '123456.789'],
    no: ['0', '0.04', '-1', '0.0499'],
  },
  {
    name: 'negative bounds of numbers',
    schema: { type: 'number', minimum: -2.5, exclusiveMaximum: -0.75 },
    yes: ['-2.5', '-1', '-0.76'],
    no: ['-0.75', '-0.7', '0', '-2.6'],
  },
  {
    name: 'multipleOf by values',
    schema: { type: 'integer', multipleOf: 7, minimum: 0, maximum: 30 },
    yes: ['0', '7', '28'],
    no: ['6', '35', '14.0'],
  },
  {
    name: 'multipleOf by remainder',
    schema: { type: 'integer', multipleOf: 7 },
    yes: ['0', '7', '-14', '700000000000000', '100002'],
    no: ['1', '8', '-13', '07', '100003'],
  },
  {
    name: 'multipleOf a power of ten',
    schema: { type: 'number', multipleOf: 100, minimum: -1000, maximum: 1000000 },
    yes: ['0', '100', '-1000', '999900', '1000000'],
    no: ['50', '-1100', '1000100', '10'],
  },
]

describe('keywords', () => {
  it.each(cases)('$name', ({ schema, yes, no }) => {
    const compiled = vocabulary.compile(jsonSchema(schema))
    const validate = ajv.compile(schema as object)
    for (const text of yes) {
      expect(validate(JSON.parse(text)), `ajv on ${text}`).toBe(true)
      expect(accepts(compiled, text), text).toBe(true)
    }
    for (const text of no) expect(accepts(compiled, text), text).toBe(false)
  })

  it.each(cases)('$name: 60 random texts are valid', ({ schema, name }) => {
    const compiled = vocabulary.compile(jsonSchema(schema))
    const validate = ajv.compile(schema as object)
    const next = random(name.length * 7919)
    let finished = 0
    for (let i = 0; i < 60; i++) {
      const text = generate(compiled, next)
      if (text === undefined) continue
      finished++
      expect(validate(JSON.parse(text)), `${text}: ${ajv.errorsText(validate.errors)}`).toBe(true)
    }
    expect(finished).toBeGreaterThan(15)
  })
})

describe('instances', () => {
  // The other direction: what JSON.stringify makes of valid values is allowed, compact and with indentation.
  const nested = {
    type: 'object',
    properties: {
      id: { type: 'integer', minimum: 1 },
      title: { type: 'string', maxLength: 40 },
      price: { type: 'number', minimum: 0, maximum: 1000 },
      tags: { type: 'array', items: { enum: ['a', 'b', 'c'] }, maxItems: 4 },
      next: { anyOf: [{ $ref: '#' }, { type: 'null' }] },
    },
    required: ['id', 'title', 'next'],
    additionalProperties: false,
  }
  const value = (next: () => number, depth = 0): unknown => ({
    id: 1 + Math.floor(next() * 1e6),
    title: ['', 'a "quoted" one', '数学 \\ é', 'tab\tline\n', '\u0001\u001f'][
      Math.floor(next() * 5)
    ],
    ...(next() < 0.5 && { price: Math.round(next() * 1e5) / 100 }),
    ...(next() < 0.5 && { tags: ['a', 'c', 'b', 'a'].slice(0, Math.floor(next() * 5)) }),
    next: depth < 4 && next() < 0.6 ? value(next, depth + 1) : null,
  })

  it('allows 300 values as JSON.stringify writes them', () => {
    const compiled = vocabulary.compile(jsonSchema(nested))
    const validate = ajv.compile(nested)
    const next = random(42)
    for (let i = 0; i < 100; i++) {
      const one = value(next)
      expect(validate(one)).toBe(true)
      for (const indent of [0, 1, 2])
        expect(accepts(compiled, JSON.stringify(one, null, indent))).toBe(true)
    }
  })

  it('JSON mode allows any object and nothing else', () => {
    const compiled = vocabulary.compile(jsonObject())
    for (const yes of ['{}', '{"a":[1,{"b":null}]}', '{"a": "\\u00e9"}'])
      expect(accepts(compiled, yes)).toBe(true)
    for (const no of ['[]', '1', '"a"', '{"a":}', '{} ', ' {}'])
      expect(accepts(compiled, no)).toBe(false)
    const next = random(7)
    for (let i = 0; i < 100; i++) {
      const text = generate(compiled, next)
      if (text !== undefined) expect(typeof JSON.parse(text)).toBe('object')
    }
  })
})

describe('refusals', () => {
  const refused: readonly [string, unknown, string, string][] = [
    [
      'unknown keyword',
      { type: 'object', properties: { a: { type: 'string', contains: 1 } } },
      'contains',
      '#/properties/a',
    ],
    ['not', { not: {} }, 'not', '#'],
    ['if', { if: {} }, 'if', '#'],
    ['patternProperties', { patternProperties: {} }, 'patternProperties', '#'],
    ['uniqueItems', { type: 'array', uniqueItems: true }, 'uniqueItems', '#'],
    ['propertyNames', { propertyNames: {} }, 'propertyNames', '#'],
    ['minProperties', { minProperties: 1 }, 'minProperties', '#'],
    ['dependentRequired', { dependentRequired: {} }, 'dependentRequired', '#'],
    ['format', { type: 'string', format: 'iban' }, 'format', '#'],
    ['type', { type: 'text' }, 'type', '#'],
    ['multipleOf a fraction', { type: 'number', multipleOf: 0.01 }, 'multipleOf', '#'],
    ['remote reference', { $ref: 'https://example.com/x' }, '$ref', '#'],
    ['missing reference', { items: { $ref: '#/$defs/x' } }, '$ref', '#/items'],
    [
      'oneOf that overlaps',
      { oneOf: [{ type: 'integer' }, { type: 'number' }] },
      'oneOf',
      '#/oneOf',
    ],
    ['enum beside minLength', { enum: ['a'], minLength: 1 }, 'minLength', '#'],
    ['look-ahead', { type: 'string', pattern: '^(?=a)' }, 'pattern', '#'],
    ['anchor inside', { type: 'string', pattern: 'a^b' }, 'pattern', '#'],
    ['negative count', { type: 'string', minLength: -1 }, 'minLength', '#'],
    ['allOf of patterns', { allOf: [{ pattern: 'a' }, { pattern: 'b' }] }, 'pattern', '#'],
  ]
  it.each(refused)('%s', (_, schema, keyword, path) => {
    let error: unknown
    try {
      jsonSchema(schema)
    } catch (caught) {
      error = caught
    }
    expect(error).toBeInstanceOf(GrammarError)
    expect(error).toMatchObject({ code: 'ERR_HADAL_GRAMMAR', keyword, path })
    expect((error as Error).message).toContain(path)
  })

  it.each([
    ['contradicting bounds', { type: 'integer', minimum: 5, maximum: 4 }],
    ['false', false],
    ['required false', { properties: { a: false }, required: ['a'] }],
    ['endless', { type: 'object', properties: { a: { $ref: '#' } }, required: ['a'] }],
    ['contradicting types', { allOf: [{ type: 'string' }, { type: 'null' }] }],
  ])('nothing satisfies it: %s', (_, schema) => {
    expect(() => vocabulary.compile(jsonSchema(schema))).toThrow(GrammarError)
  })
})
