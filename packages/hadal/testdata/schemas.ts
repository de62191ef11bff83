// Fifty schemas as people write them for structured output: flat and nested records, enums, lists, unions, tags,
// formats, bounds, references. Strings and lists are bounded, so that an answer of a tiny model ends in its context.
type Schema = Readonly<Record<string, unknown>>

const object = (properties: Schema, required = Object.keys(properties), more: Schema = {}) => ({
  type: 'object',
  properties,
  required,
  additionalProperties: false,
  ...more,
})
const string = (maxLength = 12, more: Schema = {}) => ({ type: 'string', maxLength, ...more })
const list = (items: unknown, maxItems = 3, more: Schema = {}) => ({
  type: 'array',
  items,
  maxItems,
  ...more,
})
const integer = (minimum: number, maximum: number) => ({ type: 'integer', minimum, maximum })
const number = (minimum: number, maximum: number) => ({ type: 'number', minimum, maximum })
const pattern = (text: string, more: Schema = {}) => ({ type: 'string', pattern: text, ...more })
const format = (name: string, more: Schema = {}) => ({ type: 'string', format: name, ...more })
const tagged = (kind: string, properties: Schema) =>
  object({ kind: { const: kind }, ...properties })

export const schemas: Readonly<Record<string, Schema>> = {
  answer: object({ answer: integer(0, 10000) }),
  signed: object({ result: integer(-5000, 5000), ok: { type: 'boolean' } }),
  steps: object({ steps: list(string(16), 3, { minItems: 1 }), answer: { type: 'integer' } }),
  person: object(
    { name: string(10), age: integer(0, 120), email: format('email', { maxLength: 24 }) },
    ['name'],
  ),
  address: object({ street: string(), city: string(), zip: pattern('^\\d{5}$') }),
  order: object({
    id: format('uuid'),
    items: list(object({ sku: pattern('^[A-Z]{2}-\\d{3}$'), n: integer(1, 99) }), 2, {
      minItems: 1,
    }),
  }),
  colour: { enum: ['red', 'green', 'blue', 'cyan', 'black'] },
  verdict: { const: 'yes' },
  rating: integer(1, 5),
  price: number(0, 999.99),
  flag: { type: 'boolean' },
  nothing: { type: 'null' },
  scalar: { type: ['integer', 'boolean', 'null'] },
  short: string(5, { minLength: 1 }),
  exact: string(4, { minLength: 4 }),
  date: object({ due: format('date') }),
  moment: object({ at: format('date-time', { maxLength: 25 }) }),
  clock: format('time', { maxLength: 20 }),
  host: object({ host: format('hostname', { maxLength: 16 }), ip: format('ipv4') }),
  ip6: format('ipv6'),
  link: object({ url: format('uri', { maxLength: 40 }) }),
  code: pattern('^(?:[a-f0-9]{2}:){5}[a-f0-9]{2}$'),
  version: pattern('^v?\\d{1,3}\\.\\d{1,3}\\.\\d{1,3}$'),
  slug: pattern('^[a-z]+(-[a-z]+)*$', { maxLength: 20 }),
  contains: pattern('b', { maxLength: 8 }),
  numbers: list(number(-1, 1), 4),
  sorted: object({
    sorted: list(integer(0, 99), 5, { minItems: 2 }),
    descending: { type: 'boolean' },
  }),
  matrix: list(list(integer(0, 9), 3, { minItems: 3 }), 3, { minItems: 3 }),
  pair: { type: 'array', prefixItems: [string(6), integer(0, 9)], items: false, minItems: 2 },
  point: { type: 'array', prefixItems: [number(-90, 90), number(-180, 180)], minItems: 2 },
  shape: {
    oneOf: [
      tagged('circle', { r: number(0, 10) }),
      tagged('square', { side: integer(1, 10) }),
      tagged('none', {}),
    ],
  },
  event: {
    anyOf: [tagged('open', { file: string() }), tagged('close', { code: integer(0, 255) })],
  },
  nullable: object({ note: { anyOf: [string(10), { type: 'null' }] } }),
  optional: object(
    { a: integer(0, 9), b: string(4), c: { type: 'boolean' }, d: { type: 'null' } },
    [],
  ),
  sparse: object({ a: integer(0, 9), b: string(4), c: list({ type: 'boolean' }) }, ['b']),
  open: object({ id: integer(1, 9) }, ['id'], {
    additionalProperties: false,
    title: 'ignored',
    description: 'ignored too',
  }),
  merged: {
    allOf: [
      object({ a: { type: 'number' }, b: { type: 'string' } }, ['a']),
      { properties: { a: integer(3, 30), b: string(4) } },
    ],
  },
  reference: {
    $defs: {
      unit: { enum: ['m', 's', 'kg'] },
      size: object({ value: number(0, 100), unit: { $ref: '#/$defs/unit' } }),
    },
    ...object({ width: { $ref: '#/$defs/size' }, height: { $ref: '#/$defs/size' } }),
  },
  tree: {
    $defs: {
      leaf: integer(0, 9),
      node: object({
        left: { $ref: '#/$defs/leaf' },
        right: { anyOf: [{ $ref: '#/$defs/leaf' }, object({ left: { $ref: '#/$defs/leaf' } })] },
      }),
    },
    $ref: '#/$defs/node',
  },
  chain: {
    $defs: {
      link: {
        anyOf: [{ type: 'null' }, object({ v: integer(0, 9), next: { $ref: '#/$defs/link' } })],
      },
    },
    ...object({ head: { $ref: '#/$defs/link' } }),
  },
  even: object({ n: { type: 'integer', multipleOf: 2, minimum: 0, maximum: 500 } }),
  hundreds: { type: 'integer', multipleOf: 100, minimum: 0, maximum: 1000000 },
  exclusive: { type: 'number', exclusiveMinimum: 0, exclusiveMaximum: 1 },
  mixed: { enum: ['a', 1, null, true, { x: 1 }, [1, 2]] },
  weather: object(
    { city: string(14), unit: { enum: ['celsius', 'fahrenheit'] }, days: integer(1, 14) },
    ['city', 'unit'],
  ),
  search: object(
    {
      query: string(16),
      limit: integer(1, 50),
      filters: list(
        object({
          field: { enum: ['date', 'size'] },
          op: { enum: ['<', '>', '='] },
          value: integer(0, 99),
        }),
        2,
      ),
    },
    ['query'],
  ),
  escapes: object({ 'a "b"\\c': string(3), é数: integer(0, 3), 'line\nend': { type: 'null' } }),
  letters: object({
    word: pattern('^[a-z]{1,12}$'),
    count: integer(0, 12),
    letter: pattern('^[a-z]$'),
  }),
  compare: object({ larger: { enum: ['9.11', '9.9'] }, because: string(20) }),
  deep: object({ a: object({ b: object({ c: object({ d: object({ e: integer(0, 1) }) }) }) }) }),
}
