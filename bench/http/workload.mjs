// What is asked and when, from a seed: arrival times, lengths, prompts with shared beginnings. The same seed gives the
// same arrivals and lengths; the words also depend on a salt, so that a second run finds nothing in a prefix cache.

/** Numbers in [0, 1) from a 32-bit seed (mulberry32). */
export function random(seed) {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = Math.imul(state ^ (state >>> 15), state | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
}

/** Milliseconds from the start at which `count` requests are due; `rate` is in requests a second. */
export function arrivals({ count, rate, kind = 'poisson', seed = 1 }) {
  const next = random(seed)
  let at = 0
  return Array.from({ length: count }, (_, i) => {
    const gap = kind === 'constant' ? 1 : -Math.log(1 - next())
    if (i > 0) at += (gap * 1000) / rate
    return at
  })
}

const number = (text, spec) => {
  const value = Number(text)
  if (text === undefined || !Number.isFinite(value) || value <= 0)
    throw new Error(`length "${spec}": expected N, uniform:A-B, lognormal:MEDIAN,SIGMA or exp:MEAN`)
  return value
}

function normal(next) {
  return Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next())
}

/**
 * A sampler of lengths: `128`, `uniform:50-400`, `lognormal:200,0.6` (median and sigma of the logarithm) or `exp:200`
 * (mean); `..1000` at the end is the most. Whole numbers of 1 or more.
 */
export function lengths(spec) {
  const [, body, most] = /^(.*?)(?:\.\.(\d+))?$/.exec(String(spec))
  const [kind, args] = body.includes(':') ? body.split(':') : ['fixed', body]
  const limit = most === undefined ? Number.POSITIVE_INFINITY : number(most, spec)
  const [a, b] = args.split(kind === 'uniform' ? '-' : ',')
  const first = number(a, spec)
  const draws = {
    fixed: () => first,
    uniform: (next) => first + Math.floor(next() * (number(b, spec) - first + 1)),
    lognormal: (next) => first * Math.exp(number(b, spec) * normal(next)),
    exp: (next) => -first * Math.log(1 - next()),
  }
  const draw = Object.hasOwn(draws, kind) ? draws[kind] : () => number(undefined, spec)
  draw(() => 0.5)
  return (next) => Math.max(1, Math.min(limit, Math.round(draw(next))))
}

const vocabulary =
  `time year people way day man thing woman life child world school state family student group
country problem hand part place case week company system program question work number night point
home water room mother area money story fact month lot right study book eye job word business issue side
kind head house service friend father power hour game line end member law car city community name president team
minute idea body information back parent face level office door health person art war history party result change
morning reason research girl guy moment air teacher force education`.split(/\s+/)

export function words(count, next) {
  const list = Array.from(
    { length: count },
    () => vocabulary[Math.floor(next() * vocabulary.length)],
  )
  return list.join(' ')
}

/** Words that give about `tokens` tokens, by a calibration { base, perWord }. */
const wordsFor = (tokens, { base, perWord }) => Math.max(1, Math.round((tokens - base) / perWord))

/**
 * The requests: { messages, maxTokens, promptTokens (wanted), shared }. A share of them begins with one of `prefixes`
 * common beginnings of `prefixTokens`, in the system message; every other text is of its own.
 */
export function requests(options) {
  const { count, prompt, output, seed = 1, salt = 0 } = options
  const { sharedPrefix = 0, prefixTokens = 0, prefixes = 1 } = options
  const calibration = options.calibration ?? { base: 0, perWord: 1 }
  const [size, text] = [random(seed + 1), random((seed + 2) ^ Math.imul(salt, 0x9e3779b1))]
  const [promptLength, outputLength] = [lengths(prompt), lengths(output)]
  const plain = { base: 0, perWord: calibration.perWord }
  const common = Array.from({ length: prefixes }, () => words(wordsFor(prefixTokens, plain), text))
  return Array.from({ length: count }, (_, i) => {
    const [promptTokens, maxTokens] = [promptLength(size), outputLength(size)]
    const shared = sharedPrefix > 0 && size() < sharedPrefix
    const which = Math.floor(size() * prefixes)
    const rest = promptTokens - (shared ? prefixTokens : 0)
    // Its number first, so that no two texts begin alike.
    const own = `${i} ${words(wordsFor(rest, calibration), text)}`
    const messages = [{ role: 'user', content: own }]
    if (shared) messages.unshift({ role: 'system', content: common[which] })
    return { messages, maxTokens, promptTokens, shared }
  })
}
