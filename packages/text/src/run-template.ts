// A template is a program from a stranger. It is parsed once, under a watchdog; each run is interpreted, without
// access to the host, and looks at the clock between its steps. (A watchdog for each run cost the event loop 3 ms
// when the kernels keep all cores busy: it is a thread that has to be waited for.)
import { createContext, Script } from 'node:vm'
import { Environment, Interpreter, Template } from '@huggingface/jinja'
import { TextError } from './error.ts'

const timeLimitMs = 1000
/** `range` makes its list in one go, where no clock is looked at. */
const longestRange = 100_000

function late(): TextError {
  return new TextError(`chat template: expected an end within ${timeLimitMs} ms, got none`)
}

function failed(cause: unknown): TextError {
  if (cause instanceof TextError) return cause
  const { code, message } = cause as NodeJS.ErrnoException
  if (code === 'ERR_SCRIPT_EXECUTION_TIMEOUT') return late()
  return new TextError(`chat template: ${String(message).slice(0, 300)}`, { cause })
}

/** Throws a TextError for what is no template, or takes a second to be told so. */
export function parseTemplate(source: string): Template {
  const context = createContext({ parse: () => new Template(source) })
  try {
    return new Script('parse()').runInContext(context, { timeout: timeLimitMs }) as Template
  } catch (cause) {
    throw failed(cause)
  }
}

class TimedInterpreter extends Interpreter {
  readonly #end: number = performance.now() + timeLimitMs

  override evaluate(
    ...[statement, environment]: Parameters<Interpreter['evaluate']>
  ): ReturnType<Interpreter['evaluate']> {
    // At every step, because one may make a list of longestRange and go over it.
    if (performance.now() > this.#end) throw late()
    return super.evaluate(statement, environment)
  }
}

function range(start: number, stop?: number, step = 1): number[] {
  const [from, to] = stop === undefined ? [0, start] : [start, stop]
  const length = Math.max(0, Math.ceil((to - from) / step))
  if (!(length <= longestRange))
    throw new TextError(
      `chat template: range: expected at most ${longestRange} numbers, got ${length}`,
    )
  return Array.from({ length }, (_, i) => from + i * step)
}

const globals: Readonly<Record<string, unknown>> = {
  ...{ true: true, false: false, none: null, True: true, False: false, None: null },
  range,
  raise_exception(message: unknown): never {
    throw new Error(String(message))
  },
  // The library's own, which it does not export.
  strftime_now: (format: string) => new Template('{{ strftime_now(f) }}').render({ f: format }),
}

/** The rendered text. Throws a TextError for whatever goes wrong in it. */
export function runTemplate(template: Template, values: Readonly<Record<string, unknown>>): string {
  try {
    const environment = new Environment()
    for (const [name, value] of Object.entries({ ...globals, ...values }))
      environment.set(name, value)
    return String(new TimedInterpreter(environment).run(template.parsed).value)
  } catch (cause) {
    throw failed(cause)
  }
}
