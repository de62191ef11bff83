// `6*3=18 6*6=36` is arithmetic: a star between two numbers, or the brackets around them, is no emphasis.
import type { Options } from 'mdast-util-from-markdown'

type Extension = Exclude<
  NonNullable<NonNullable<Options['extensions']>[number]>,
  readonly unknown[]
>

const [star, open, close] = [42, 40, 41]
const isDigit = (code: number | null) => code !== null && code >= 48 && code <= 57

/** Reads such a star as text, before emphasis is looked for. */
export const product: Extension = {
  text: {
    [star]: {
      name: 'product',
      tokenize(effects, ok, nok) {
        const { previous } = this
        return (code) => {
          if (!isDigit(previous) && previous !== close) return nok(code)
          effects.enter('data')
          effects.consume(code)
          effects.exit('data')
          return (next) => (isDigit(next) || next === open ? ok(next) : nok(next))
        }
      },
    },
  },
}
