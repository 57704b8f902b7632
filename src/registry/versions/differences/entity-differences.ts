import type { Entity, JoinKey } from '../../registry.ts'
import { type Difference, differs, differsInOrder, shownList } from './difference.ts'
import { graphqlShape } from './graphql-shape.ts'
import { documentedDifferences, nameDifferences } from './shown-differences.ts'

export function addedEntity({ joinKeys }: Entity): Difference {
  const keys = joinKeys.map(({ name, type }) => `${name} ${type}`)
  return { how: 'added', text: `added (join keys: ${shownList(keys)})`, breaks: [] }
}

export const removedEntity: Difference = { how: 'removed', text: 'removed', breaks: ['graphql'] }

export function entityDifferences(before: Entity, after: Entity): readonly Difference[] {
  const viewIds = ({ views }: Entity): string[] => views.map(({ id }) => id)
  return [
    ...nameDifferences(before, after),
    ...differs('plural', before.pluralName, after.pluralName, ['graphql']),
    ...joinKeyDifferences(before.joinKeys, after.joinKeys),
    ...documentedDifferences(before, after),
    ...differsInOrder('its feature views', viewIds(before), viewIds(after), {
      names: after.views.map(({ name }) => name),
    }),
    ...differs('stored as', before.id, after.id, ['rows']),
  ]
}

/** Rows are found by the join keys, so that views of other ones are refused unless they are new. */
function joinKeyDifferences(before: readonly JoinKey[], after: readonly JoinKey[]): readonly Difference[] {
  const names = (keys: readonly JoinKey[]): string[] => keys.map(({ name }) => name)
  const found = differs('join keys', names(before), names(after))
  const old = new Map(before.map((key) => [key.name, key]))
  const isOther = before.length !== after.length || after.some(({ name }) => !old.has(name))
  const kept = after.flatMap((key): readonly Difference[] => {
    const earlier = old.get(key.name)
    if (!earlier) return []
    const isOtherType = graphqlShape(earlier.type) !== graphqlShape(key.type)
    return [
      ...differs(`type of ${key.name}`, earlier.type, key.type, isOtherType ? ['graphql'] : []),
      ...differs(`graphqlName of ${key.name}`, earlier.graphqlName, key.graphqlName, ['graphql']),
    ]
  })
  return [...found.map((one) => ({ ...one, breaks: isOther ? (['graphql'] as const) : [] })), ...kept]
}
