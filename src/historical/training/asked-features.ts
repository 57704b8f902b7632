import { BadUserInput } from '../../errors.ts'
import type { GivenRole } from '../../registry/role-table.ts'

/** Features of one view, as they are asked for in text. */
export interface AskedFeatures {
  readonly text: string
  readonly view: string
  /** Null: all of the view. */
  readonly feature: string | null
  /** The view's entity in a role, with all join keys that any of the texts gives it. */
  readonly role: GivenRole | null
  /** Whether this text gives the role's join keys itself. */
  readonly hasKeys: boolean
}

/** `view`, `@role`, `(join_key=name, …)` and `:feature`, all but the first optional. */
const asked = /^([^@:()\s]+)(?:@([a-z][a-z0-9_]{0,62})(?:\(([^()]*)\))?)?(?::([^@:()\s]+))?$/

/**
 * Each text as `view:feature`, or `view` for all features of a view; in a role as `view@payee(customer_id=payee_id):feature`,
 * where `payee_id` is what the spine calls the payee's `customer_id`. The keys of a role may be given once.
 * @throws BadUserInput for text that cannot be read, and a role without keys
 */
export function parseAskedFeatures(texts: readonly string[]): readonly AskedFeatures[] {
  const parsed = texts.map(parse)
  const given = new Map<string, Readonly<Record<string, string>>>()
  for (const { role, keys } of parsed)
    if (role !== null && keys !== null) given.set(role, { ...keys, ...given.get(role) })
  return parsed.map(({ text, view, feature, role: name, keys: own }) => {
    const found = { text, view, feature, hasKeys: own !== null }
    if (name === null) return { ...found, role: null }
    const keys = own ?? given.get(name)
    if (keys === undefined)
      throw new BadUserInput(
        `features ${JSON.stringify(text)}: role "${name}" has no join keys; give them once, as ${view}@${name}(<join key>=<column of the spine>)`,
      )
    return { ...found, role: { name, keys } }
  })
}

interface Parsed {
  readonly text: string
  readonly view: string
  readonly feature: string | null
  readonly role: string | null
  /** Null: they are given elsewhere. */
  readonly keys: Readonly<Record<string, string>> | null
}

function parse(untrimmed: string): Parsed {
  const text = untrimmed.trim()
  const [, view, role = null, keys = null, feature = null] = asked.exec(text) ?? []
  if (view === undefined)
    throw new BadUserInput(
      `features are asked for as view:feature, in a role as view@payee(customer_id=payee_id):feature; ${JSON.stringify(text)} came`,
    )
  const pairs = keys?.split(',').map((pair) => keyOf(text, pair))
  return { text, view, feature, role, keys: pairs ? Object.fromEntries(pairs) : null }
}

function keyOf(text: string, pair: string): readonly [joinKey: string, name: string] {
  const [, joinKey, name] = /^\s*([a-z][a-z0-9_]*)\s*=\s*([a-z][a-z0-9_]*)\s*$/.exec(pair) ?? []
  if (joinKey === undefined || name === undefined)
    throw new BadUserInput(
      `features ${JSON.stringify(text)}: a role's join keys are given as customer_id=payee_id; ${JSON.stringify(pair.trim())} came`,
    )
  return [joinKey, name]
}

/** The texts of a list with commas between them; those within parentheses part nothing. */
export function splitAsked(list: string): readonly string[] {
  return list
    .split(/,(?![^()]*\))/)
    .map((text) => text.trim())
    .filter((text) => text !== '')
}
