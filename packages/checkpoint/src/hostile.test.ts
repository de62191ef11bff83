// Files that a stranger made to break a reader, byte by byte: each is refused with a CheckpointError that
// names the file and what was expected. Valid oddities stand beside them and are accepted. The first 44
// follow the verdicts of the reference reader (safetensors 0.8.0); two differ on purpose: duplicate names.
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { CheckpointError, dtypeBits, openCheckpoint, readSafetensorsHeader } from './index.ts'

const root = mkdtempSync(path.join(tmpdir(), 'hadal-hostile-'))
afterAll(() => rmSync(root, { recursive: true, force: true }))
let files = 0

/** A file of: the header's length (or another), the header, data. */
function bytes(header: string | Uint8Array, data = 0, length?: bigint): Uint8Array {
  const text = typeof header === 'string' ? new TextEncoder().encode(header) : header
  const out = new Uint8Array(8 + text.length + data)
  new DataView(out.buffer).setBigUint64(0, length ?? BigInt(text.length), true)
  out.set(text, 8)
  return out
}

function put(content: Uint8Array): string {
  const file = path.join(root, `${files++}.safetensors`)
  writeFileSync(file, content)
  return file
}

const entry = (dtype: string, shape: string, begin: number | string, end: number | string) =>
  `{"dtype":"${dtype}","shape":${shape},"data_offsets":[${begin},${end}]}`
const one = (dtype: string, shape: string, begin: number | string, end: number | string) =>
  `{"t":${entry(dtype, shape, begin, end)}}`
const good = one('F32', '[2]', 0, 8)

const hostile: [string, Uint8Array, RegExp][] = [
  ['no bytes', new Uint8Array(0), /header: expected at least 8 bytes, got 0/],
  ['seven bytes', new Uint8Array(7), /header: expected at least 8 bytes, got 7/],
  ['a length and no header', bytes('', 0, 10n), /expected 10 bytes, got 0: the file is cut short/],
  ['a length of 2^64 − 1', bytes('{}', 0, 2n ** 64n - 1n), /at most 100000000 bytes, got 18446744/],
  ['a length of 2^63', bytes('{}', 0, 2n ** 63n), /at most 100000000 bytes/],
  ['a length over 100 MB', bytes('{}', 0, 100_000_001n), /at most 100000000 bytes, got 100000001/],
  ['a length past the end', bytes('{}', 0, 3n), /expected 3 bytes, got 2: the file is cut short/],
  ['a length of zero', bytes('', 4), /header/],
  ['bytes that are not UTF-8', bytes(Uint8Array.of(0x7b, 0xff, 0x7d)), /header: expected UTF-8/],
  ['an overlong UTF-8 form', bytes(Uint8Array.of(0x7b, 0xc0, 0xa2, 0x7d)), /expected UTF-8/],
  ['JSON that ends early', bytes('{"t":{"dtype":"F32"', 8), /header/],
  ['an array', bytes('[]'), /header: expected an object/],
  ['null', bytes('null'), /header: expected an object/],
  ['a number', bytes('7'), /header: expected an object/],
  ['a byte order mark', bytes(`\ufeff${good}`, 8), /header/],
  ['text after the object', bytes(`${good}x`, 8), /header/],
  ['two objects', bytes(`${good}${good}`, 8), /header/],
  ['a NUL after the object', bytes(`${good}\0`, 8), /header/],
  ['a comment', bytes(`/**/${good}`, 8), /header/],
  ['single quotes', bytes("{'t':1}"), /header/],
  ['a trailing comma', bytes(`{"t":${entry('F32', '[2]', 0, 8)},}`, 8), /header/],
  ['a control character in a name', bytes(`{"a\nb":${entry('F32', '[2]', 0, 8)}}`, 8), /header/],
  ['a lone surrogate', bytes('{"\\ud800":1}'), /header/],
  ['a bad escape', bytes('{"\\x41":1}'), /header/],
  ['NaN as a number', bytes(one('F32', '[NaN]', 0, 8), 8), /header/],
  ['a leading zero', bytes(one('F32', '[02]', 0, 8), 8), /header/],
  ['a plus sign', bytes(one('F32', '[+2]', 0, 8), 8), /header/],
  ['a shape of 1e400', bytes(one('F32', '[1e400]', 0, 8), 8), /header|shape/],
  ['200,000 levels of arrays', bytes('['.repeat(200_000)), /header/],
  ['200,000 levels of objects', bytes('{"a":'.repeat(200_000)), /header/],
  ['a string of 2 MB', bytes(`{"${'a'.repeat(2_000_000)}":1}`), /header/],
  ['a tensor that is a number', bytes('{"t":7}'), /t: expected an object/],
  ['a tensor that is a list', bytes('{"t":[]}'), /t: expected an object/],
  ['no dtype', bytes('{"t":{"shape":[2],"data_offsets":[0,8]}}', 8), /t: dtype: expected one of/],
  ['no shape', bytes('{"t":{"dtype":"F32","data_offsets":[0,8]}}', 8), /t: shape: expected a list/],
  ['no offsets', bytes('{"t":{"dtype":"F32","shape":[2]}}', 8), /t: data_offsets: expected/],
  ['an unknown dtype', bytes(one('F31', '[2]', 0, 8), 8), /t: dtype: expected one of .* got F31/],
  ['dtype toString', bytes(one('toString', '[2]', 0, 8), 8), /t: dtype/],
  ['dtype __proto__', bytes(one('__proto__', '[2]', 0, 8), 8), /t: dtype/],
  ['a dtype in lower case', bytes(one('f32', '[2]', 0, 8), 8), /got f32/],
  ['a numeric dtype', bytes('{"t":{"dtype":0,"shape":[2],"data_offsets":[0,8]}}', 8), /t: dtype/],
  ['a negative shape', bytes(one('F32', '[-2]', 0, 8), 8), /t: shape: expected a list of whole/],
  ['minus zero', bytes(one('F32', '[-0]', 0, 0)), /t: shape/],
  ['a shape of 2.0', bytes(one('F32', '[2.0]', 0, 8), 8), /t: shape/],
  ['a shape of 2e0', bytes(one('F32', '[2e0]', 0, 8), 8), /t: shape/],
  ['a shape of text', bytes(one('F32', '["2"]', 0, 8), 8), /t: shape/],
  ['a nested shape', bytes(one('F32', '[[2]]', 0, 8), 8), /t: shape/],
  [
    'a shape that overflows',
    bytes(one('F32', '[4294967296,4294967296]', 0, 8), 8),
    /size that fits/,
  ],
  [
    'bits that overflow',
    bytes(one('F64', '[1125899906842624]', 0, 8), 8),
    /t: (shape|data_offsets)/,
  ],
  [
    '2^64 in a shape',
    bytes(one('F32', '[18446744073709551616]', 0, 8), 8),
    /a number that fits, got \d+/,
  ],
  [
    'an overflow hidden by a zero',
    bytes(one('F32', '[0,9007199254740993]', 0, 8), 8),
    /a number that fits, got \d+/,
  ],
  ['17 dimensions', bytes(one('F32', `[2${',1'.repeat(16)}]`, 0, 8), 8), /at most 16 dimensions/],
  ['reversed offsets', bytes(one('F32', '[2]', 8, 0), 8), /ascending order/],
  ['offsets past the end', bytes(one('F32', '[4]', 0, 16), 8), /expected .* bytes/],
  [
    'offsets over 2^53',
    bytes(one('F32', '[2]', '9007199254740992', '9007199254741000'), 8),
    /a number that fits, got \d+/,
  ],
  ['fractional offsets', bytes(one('F32', '[2]', '0.5', '8.5'), 9), /data_offsets/],
  [
    'three offsets',
    bytes('{"t":{"dtype":"F32","shape":[2],"data_offsets":[0,8,8]}}', 8),
    /offsets/,
  ],
  ['one offset', bytes('{"t":{"dtype":"F32","shape":[2],"data_offsets":[0]}}', 8), /offsets/],
  [
    'fewer bytes than the shape',
    bytes(one('F32', '[2]', 0, 4), 4),
    /expected 8 bytes for \[2\] F32/,
  ],
  ['more bytes than the shape', bytes(one('F32', '[2]', 0, 12), 12), /expected 8 bytes/],
  ['half a byte of F4', bytes(one('F4', '[3]', 0, 2), 2), /whole bytes/],
  ['a hole at the start', bytes(one('F32', '[2]', 4, 12), 12), /expected data at .* \(hole\)/],
  [
    'a hole in the middle',
    bytes(`{"a":${entry('F32', '[1]', 0, 4)},"b":${entry('F32', '[1]', 8, 12)}}`, 12),
    /b: .*hole/,
  ],
  [
    'ten tensors over the same bytes',
    bytes(`{${Array.from({ length: 10 }, (_, i) => `"w${i}":${entry('F32', '[2]', 0, 8)}`)}}`, 8),
    /w\d: .*overlap/,
  ],
  [
    'a partial overlap',
    bytes(`{"a":${entry('F32', '[2]', 0, 8)},"b":${entry('F32', '[2]', 4, 12)}}`, 12),
    /b: .*overlap/,
  ],
  ['data after the last tensor', bytes(good, 12), /expected .* bytes \(header and tensors\), got/],
  ['two bytes too few', bytes(good, 6), /expected .* bytes/],
  [
    'a tensor twice',
    bytes(`{"t":${entry('U8', '[0]', 0, 0)},"t":${entry('U8', '[0]', 0, 0)}}`),
    /t/,
  ],
  [
    'a tensor twice, once escaped',
    bytes(`{"t":${entry('U8', '[0]', 0, 0)},"\\u0074":${entry('U8', '[0]', 0, 0)}}`),
    /header/,
  ],
  [
    'a field twice',
    bytes('{"t":{"dtype":"U8","dtype":"F32","shape":[0],"data_offsets":[0,0]}}'),
    /header/,
  ],
  [
    '262,145 empty tensors',
    bytes(
      `{${Array.from({ length: 2 ** 18 + 1 }, (_, i) => `"t${i}":${entry('U8', '[0]', 0, 0)}`)}}`,
    ),
    /header: expected at most 262144 members, got more at character/,
  ],
  [
    'two million dimensions',
    bytes(one('U8', `[${'1,'.repeat(2_000_000)}1]`, 0, 1), 1),
    /header: expected at most 262144 members/,
  ],
  [
    'a string of ten million escapes',
    bytes(`{"__metadata__":{"a":"${'\\u0041'.repeat(10_000_000)}"}}`),
    /header: expected strings of at most 1048576, got more at character/,
  ],
  ['metadata that is text', bytes('{"__metadata__":"x"}'), /__metadata__: expected an object/],
  [
    'a number in the metadata',
    bytes('{"__metadata__":{"a":1}}'),
    /__metadata__.a: expected a string/,
  ],
  ['metadata twice', bytes('{"__metadata__":{},"__metadata__":{}}'), /header/],
  [
    'a name of 5,000 characters',
    bytes(`{"${'n'.repeat(5000)}":${entry('U8', '[0]', 0, 0)}}`),
    /4096/,
  ],
]

describe('a hostile safetensors file', () => {
  it.each(hostile)('with %s is refused', async (_, content, message) => {
    const file = put(content)
    const error = await readSafetensorsHeader(file).catch((e) => e)
    expect(error).toBeInstanceOf(CheckpointError)
    expect(error.code).toBe('ERR_HADAL_CHECKPOINT')
    expect(error.file).toBe(file)
    expect(error.message).toMatch(message)
    expect(error.message).toContain(path.basename(file))
    expect(error.message.length).toBeLessThan(1000)
  })

  it('escapes what a name would do to a terminal', async () => {
    const name = '\\u001b[31mred\\u202e'
    const error = await readSafetensorsHeader(put(bytes(`{"${name}":7}`))).catch((e) => e)
    expect(error.message).toContain('\\u001b[31mred\\u202e')
    expect(error.message).not.toContain('\u001b')
  })

  it.each([1, 7, 8, 20, 40])('cut after byte %i of a good one is refused', async (length) => {
    const file = put(bytes(good, 8))
    truncateSync(file, length)
    await expect(readSafetensorsHeader(file)).rejects.toThrow(CheckpointError)
  })

  it('of a terabyte of nothing is read without a terabyte of memory', async () => {
    const elements = 2 ** 38
    const file = put(bytes(one('F32', `[${elements}]`, 0, 4 * elements)))
    truncateSync(file, 8 + one('F32', `[${elements}]`, 0, 4 * elements).length + 4 * elements)
    const header = await readSafetensorsHeader(file)
    expect(header.tensors.get('t')?.bytes).toBe(4 * elements)
  })
})

const accepted: [string, string, number, string[]][] = [
  ['an ordinary tensor', good, 8, ['t']],
  ['nothing', '{}', 0, []],
  ['a scalar', one('F32', '[]', 0, 4), 4, ['t']],
  ['an empty tensor', one('F32', '[0,5]', 0, 0), 0, ['t']],
  ['spaces around the object', `  ${good}   `, 8, ['t']],
  [
    'a field that is not known',
    `{"t":{"x":[1,{"y":null}],${entry('U8', '[1]', 0, 1).slice(1)}}`,
    1,
    ['t'],
  ],
  ['metadata', `{"__metadata__":{"format":"pt"},"t":${entry('U8', '[1]', 0, 1)}}`, 1, ['t']],
  [
    'tensors out of order',
    `{"b":${entry('U8', '[1]', 1, 2)},"a":${entry('U8', '[1]', 0, 1)}}`,
    2,
    ['b', 'a'],
  ],
  [
    'names of Object.prototype',
    `{"__proto__":${entry('U8', '[1]', 0, 1)},"constructor":${entry('U8', '[1]', 1, 2)}}`,
    2,
    ['__proto__', 'constructor'],
  ],
  [
    'a name that looks like a path',
    `{"../../etc/passwd\\u0000":${entry('U8', '[1]', 0, 1)}}`,
    1,
    ['../../etc/passwd\0'],
  ],
]

describe('an odd but valid safetensors file', () => {
  it.each(accepted)('with %s is accepted', async (_, header, data, names) => {
    const { tensors } = await readSafetensorsHeader(put(bytes(header, data)))
    expect([...tensors.keys()]).toEqual(names)
    expect(({} as { dtype?: unknown }).dtype).toBeUndefined()
  })

  it.each(Object.entries(dtypeBits))('may hold %s', async (dtype, bits) => {
    const size = bits
    const header = one(dtype, '[8]', 0, size)
    const { tensors } = await readSafetensorsHeader(put(bytes(header, size)))
    expect(tensors.get('t')).toMatchObject({
      dtype,
      shape: [8],
      bytes: size,
      offset: 8 + header.length,
    })
  })

  it('may hold 100,000 empty tensors', async () => {
    const list = Array.from({ length: 100_000 }, (_, i) => `"t${i}":${entry('U8', '[0]', 0, 0)}`)
    const { tensors } = await readSafetensorsHeader(put(bytes(`{${list}}`)))
    expect(tensors.size).toBe(100_000)
  })
})

/** A folder with a config and what `fill` puts into it. */
function folder(fill: (at: string) => void, config = '{"model_type":"x"}'): string {
  const at = path.join(root, `folder-${files++}`)
  mkdirSync(at)
  writeFileSync(path.join(at, 'config.json'), config)
  fill(at)
  return at
}

const tensorFile = (...names: string[]) =>
  bytes(`{${names.map((n, i) => `"${n}":${entry('U8', '[1]', i, i + 1)}`)}}`, names.length)

function sharded(
  map: unknown,
  shards: Record<string, Uint8Array> = { 'a.safetensors': tensorFile('t') },
) {
  return folder((at) => {
    const text = typeof map === 'string' ? map : JSON.stringify({ weight_map: map })
    writeFileSync(path.join(at, 'model.safetensors.index.json'), text)
    for (const [name, content] of Object.entries(shards))
      writeFileSync(path.join(at, name), content)
  })
}

const folders: [string, () => string, RegExp][] = [
  ['does not exist', () => path.join(root, 'nowhere'), /cannot be opened: ENOENT/],
  ['has no weights', () => folder(() => {}), /model.safetensors: cannot be opened: ENOENT/],
  [
    'has a folder as its weights',
    () => folder((at) => mkdirSync(path.join(at, 'model.safetensors'))),
    /expected a regular file, got a directory/,
  ],
  [
    'has a device as its weights',
    () => folder((at) => symlinkSync('/dev/zero', path.join(at, 'model.safetensors'))),
    /a special file/,
  ],
  [
    'has a link to itself',
    () => folder((at) => symlinkSync('model.safetensors', path.join(at, 'model.safetensors'))),
    /cannot be opened: ELOOP/,
  ],
  [
    'has an index that is a folder',
    () => folder((at) => mkdirSync(path.join(at, 'model.safetensors.index.json'))),
    /a directory/,
  ],
  ['has an index of nothing', () => sharded('{}'), /weight_map: expected an object/],
  ['has an index that is a list', () => sharded('[]'), /expected an object/],
  ['has a list as its weight_map', () => sharded([]), /weight_map: expected an object/],
  [
    'has an index with a name twice',
    () => sharded('{"weight_map":{"t":"a.safetensors","t":"b.safetensors"}}'),
    /index.json/,
  ],
  [
    'climbs out of the folder',
    () => sharded({ t: '../a.safetensors' }),
    /names of files in this folder, got \.\.\/a/,
  ],
  [
    'names an absolute path',
    () => sharded({ t: '/etc/passwd' }),
    /names of files in this folder, got \/etc\/passwd/,
  ],
  [
    'names a path with NUL',
    () => sharded({ t: 'a\0.safetensors' }),
    /names of files in this folder, got a\\u0000/,
  ],
  ['names a subfolder', () => sharded({ t: 'x/a.safetensors' }), /names of files in this folder/],
  [
    'names itself',
    () => sharded({ t: 'model.safetensors.index.json' }),
    /names of files in this folder/,
  ],
  ['names nothing', () => sharded({ t: '' }), /names of files in this folder/],
  ['names a number', () => sharded({ t: 7 }), /names of files in this folder, got 7/],
  [
    'names a shard that is missing',
    () => sharded({ t: 'b.safetensors' }),
    /b.safetensors: named by .*ENOENT/,
  ],
  [
    'names a shard that links to itself',
    () =>
      folder((at) => {
        symlinkSync('a.safetensors', path.join(at, 'a.safetensors'))
        writeFileSync(
          path.join(at, 'model.safetensors.index.json'),
          '{"weight_map":{"t":"a.safetensors"}}',
        )
      }),
    /ELOOP/,
  ],
  [
    'promises a tensor that no shard holds',
    () => sharded({ t: 'a.safetensors', u: 'a.safetensors' }),
    /u: expected in a.safetensors, which does not hold it/,
  ],
  [
    'holds a tensor that the index does not name',
    () => sharded({ t: 'a.safetensors' }, { 'a.safetensors': tensorFile('t', 'u') }),
    /u: lies in a.safetensors but the index does not name it/,
  ],
  [
    'holds a tensor in another shard',
    () =>
      sharded(
        { t: 'b.safetensors', u: 'a.safetensors' },
        { 'a.safetensors': tensorFile('t'), 'b.safetensors': tensorFile('u') },
      ),
    /expected in/,
  ],
  [
    'holds a tensor in two shards',
    () =>
      sharded(
        { t: 'a.safetensors', u: 'b.safetensors' },
        { 'a.safetensors': tensorFile('t'), 'b.safetensors': tensorFile('u', 't') },
      ),
    /t: expected in a.safetensors, got it in b.safetensors/,
  ],
  [
    'has a shard that is cut short',
    () => sharded({ t: 'a.safetensors' }, { 'a.safetensors': tensorFile('t').subarray(0, 30) }),
    /a.safetensors: .*cut short/,
  ],
  [
    'names 100,001 shards',
    () =>
      sharded(
        Object.fromEntries(
          Array.from({ length: 100_001 }, (_, i) => [`t${i}`, `${i}.safetensors`]),
        ),
      ),
    /at most 100000 shards, got 100001/,
  ],
  [
    'names half a million tensors',
    () => {
      const names = Array.from({ length: 2 ** 19 + 1 }, (_, i) => `"t${i}":"a.safetensors"`)
      return sharded(`{"weight_map":{${names}}}`)
    },
    /index.json: expected at most 524288 members, got more/,
  ],
  ...['128', [128], [128, 128, 128], [0, 128], [128.5, 128], [128, -1], { rows: 128 }].map(
    (block): [string, () => string, RegExp] => [
      `has a weight_block_size of ${JSON.stringify(block)}`,
      () =>
        folder(
          (at) => writeFileSync(path.join(at, 'model.safetensors'), tensorFile('t')),
          JSON.stringify({ quantization_config: { weight_block_size: block } }),
        ),
      /quantization_config.weight_block_size: expected two positive whole numbers, got/,
    ],
  ),
  [
    'has a config that is no object',
    () => folder(() => {}, '[]'),
    /config.json: expected an object/,
  ],
  ['has a config with a name twice', () => folder(() => {}, '{"a":1,"a":2}'), /config.json: .*a/],
  ['has a config 100,000 levels deep', () => folder(() => {}, '['.repeat(100_000)), /config.json/],
  [
    'has a config of 17 MB',
    () => folder(() => {}, ' '.repeat(17 << 20)),
    /config.json: expected at most 16777216 bytes/,
  ],
  ['has a config that is empty', () => folder(() => {}, ''), /config.json/],
  ['has a config of NaN', () => folder(() => {}, '{"a":NaN}'), /config.json/],
  ...(
    [
      ['temperature', '"hot"', /temperature: expected a number from 0 to 100, got "hot"/],
      ['temperature', '-1', /temperature: expected a number from 0 to 100, got -1/],
      ['top_p', '2', /top_p: expected a number from 0 to 1, got 2/],
      ['top_k', '0.5', /top_k: expected a whole number/],
      ['do_sample', '1', /do_sample: expected a boolean, got 1/],
      ['eos_token_id', '[1,-1]', /eos_token_id: expected a whole number from 0/],
      ['eos_token_id', '"</s>"', /eos_token_id: expected a whole number/],
      ['bos_token_id', '2147483648', /bos_token_id: expected a whole number/],
      ['max_new_tokens', '0', /max_new_tokens: expected a whole number from 1/],
      ['repetition_penalty', '0', /repetition_penalty: expected a number from 0.01/],
    ] as const
  ).map(([field, value, message]): [string, () => string, RegExp] => [
    `has ${field} ${value} in generation_config.json`,
    () =>
      folder((at) => {
        writeFileSync(path.join(at, 'model.safetensors'), tensorFile('t'))
        writeFileSync(path.join(at, 'generation_config.json'), `{"${field}":${value}}`)
      }),
    message,
  ]),
]

describe('a hostile folder', () => {
  it.each(folders)('that %s is refused', async (_, make, message) => {
    const error = await openCheckpoint(make()).catch((e) => e)
    expect(error).toBeInstanceOf(CheckpointError)
    expect(error.message).toMatch(message)
  })

  it('is not needed to find these good ones', async () => {
    const plain = folder((at) => writeFileSync(path.join(at, 'model.safetensors'), tensorFile('t')))
    expect((await openCheckpoint(plain)).has('t')).toBe(true)
    const two = sharded(
      { t: 'a.safetensors', u: 'b.safetensors' },
      { 'a.safetensors': tensorFile('t'), 'b.safetensors': tensorFile('u') },
    )
    expect([...(await openCheckpoint(two)).tensors.keys()]).toEqual(['t', 'u'])
    // A download cache keeps blobs elsewhere and links to them.
    const blob = put(tensorFile('t'))
    const linked = folder((at) => symlinkSync(blob, path.join(at, 'model.safetensors')))
    expect((await openCheckpoint(linked)).has('t')).toBe(true)
  })
})
