import { acceptKeyValue, type EntityKey } from '../definitions/value.ts'
import { BadUserInput } from '../errors.ts'
import type { Entity } from '../registry/registry.ts'

/** The values of a key in the order of the entity's join keys. @throws BadUserInput naming every value that does not fit, with what was expected. */
export function argumentKey({ name, joinKeys }: Entity, texts: readonly string[]): EntityKey {
  if (texts.length !== joinKeys.length) {
    const expected = joinKeys.map((joinKey) => `${joinKey.name} (${joinKey.type})`).join(', ')
    throw new BadUserInput(
      `the key of entity "${name}" is ${expected}: expected ${joinKeys.length} value(s), ${texts.length} came`,
    )
  }
  const problems: string[] = []
  const key = joinKeys.map((joinKey, place) => {
    const text = texts[place] ?? ''
    // `01` and `1e3` are no integers as they are written everywhere else.
    const isInteger = joinKey.type === 'int32' && /^(?:0|-?[1-9]\d*)$/.test(text)
    const outcome = acceptKeyValue(joinKey.type, isInteger ? Number(text) : text)
    if (outcome.ok) return outcome.value
    problems.push(`${joinKey.name}: expected ${outcome.expected}; got ${JSON.stringify(text)}`)
    return ''
  })
  if (problems.length > 0) throw new BadUserInput(problems.join('\n'))
  return key
}
