// A body against its schema. Only the first problem is told: path, expected, got.
import type { z } from 'zod'
import { type ApiError, invalid, show } from './errors.ts'

type Issue = z.core.$ZodIssue
type Path = readonly PropertyKey[]

/** The checked body. Throws a 400. */
export function validate<T>(schema: z.ZodType<T>, body: unknown): T {
  const result = schema.safeParse(body)
  if (result.success) return result.data
  throw issueError(result.error.issues[0] as Issue, [], body)
}

function pathText(path: Path): string {
  let text = ''
  for (const key of path) {
    if (typeof key === 'number') text += `[${key}]`
    else text += text === '' ? String(key).slice(0, 80) : `.${String(key).slice(0, 80)}`
  }
  return text || 'body'
}

function valueAt(body: unknown, path: Path): unknown {
  let value = body
  for (const key of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) return undefined
    value = (value as Record<PropertyKey, unknown>)[key]
  }
  return value
}

/**
 * The branch of a union that the value came nearest to: the one whose first problem lies deepest, and of those rather
 * one of the type that the value names.
 */
function nearest(errors: readonly (readonly Issue[])[]): Issue | undefined {
  const firsts = errors.flatMap((issues) => issues[0] ?? [])
  const otherType = ({ path }: Issue) => Number(path.at(-1) === 'type')
  return firsts.sort((a, b) => b.path.length - a.path.length || otherType(a) - otherType(b))[0]
}

function issueError(issue: Issue, before: Path, body: unknown): ApiError {
  const path = [...before, ...issue.path]
  const where = pathText(path)
  const got = valueAt(body, path)
  if (issue.code === 'unrecognized_keys') return unknownField(issue.keys[0] as string, path)
  if (issue.code === 'invalid_union') {
    const branch = nearest(issue.errors)
    if (branch && branch.path.length > 0) return issueError(branch, path, body)
  }
  if (got === undefined)
    return invalid(where, `expected ${expected(issue)}, got nothing`, 'missing_field')
  return invalid(where, `expected ${expected(issue)}, got ${show(got)}`)
}

function expected(issue: Issue): string {
  switch (issue.code) {
    case 'invalid_type':
      return issue.expected === 'int' ? 'an integer' : `a value of type ${issue.expected}`
    case 'too_big':
      return `at most ${issue.maximum}${unit(issue.origin)}`
    case 'too_small':
      return `at least ${issue.minimum}${unit(issue.origin)}`
    case 'invalid_value':
      return `one of ${issue.values.map((value) => JSON.stringify(value)).join(', ')}`
    case 'invalid_format':
      return `text of the form ${'pattern' in issue ? issue.pattern : issue.format}`
    case 'invalid_key':
      return 'a key of digits (a token id)'
    case 'invalid_union': {
      const options = (issue as { options?: readonly unknown[] }).options
      if (options) return `one of ${options.map((value) => JSON.stringify(value)).join(', ')}`
      return [...new Set(issue.errors.flatMap((list) => list[0] ?? []).map(expected))].join(' or ')
    }
    default:
      return issue.message
  }
}

const unit = (origin: string): string =>
  origin === 'string' ? ' characters' : origin === 'array' ? ' items' : ''

/** Fields that clients may send in earnest and that we must not ignore: say what to do instead. */
const hints: Readonly<Record<string, string>> = {
  functions: 'use tools',
  function_call: 'use tool_choice',
  chat_template: 'a request cannot bring a template; the model has its own',
  guided_json: 'use response_format',
  guided_regex: 'use response_format',
  guided_choice: 'use response_format',
  guided_grammar: 'use response_format',
  web_search_options: 'there is no web search',
  audio: 'text only',
  image_url: 'text only; nothing is fetched',
  input_audio: 'text only',
  num_ctx: 'the context is set when the server starts (--context)',
}

function unknownField(key: string, path: Path): ApiError {
  const where = pathText([...path, key])
  const hint = Object.hasOwn(hints, key) ? `; ${hints[key]}` : ''
  return invalid(where, `unknown field, and ignoring it could be wrong${hint}`, 'unknown_field')
}
