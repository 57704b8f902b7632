import { BadUserInput } from '../errors.ts'
import { suggest } from '../registry/suggest.ts'

/** The one of this name; `what` says what it is. @throws BadUserInput for an unknown name, with what may have been meant. */
export function named<Item extends { readonly name: string }>(
  what: string,
  all: readonly Item[],
  name: string,
): Item {
  const found = all.find((item) => item.name === name)
  if (found) return found
  const known = all.map((item) => item.name)
  throw new BadUserInput(`there is no ${what} ${JSON.stringify(name)}; ${suggest(name, known)}`)
}
