import type { Documented, Shown } from '../../registry.ts'
import { type Difference, differs } from './difference.ts'

/** What every definition may say of itself; it changes no answer. */
export function documentedDifferences(before: Documented, after: Documented): readonly Difference[] {
  const tags = ({ tags: all }: Documented): string[] => all.map(({ key, value }) => `${key} ${value}`)
  return [
    ...differs('description', before.description, after.description),
    ...differs('owner', before.owner, after.owner),
    ...differs('tags', tags(before), tags(after)),
  ]
}

/** A rename, and the name in GraphQL, which may follow from it. */
export function nameDifferences(before: Shown, after: Shown): readonly Difference[] {
  const isOtherField = before.graphqlName !== after.graphqlName
  const breaks = isOtherField || before.typeName !== after.typeName ? (['graphql'] as const) : []
  const field = isOtherField ? ` (GraphQL: ${before.graphqlName} → ${after.graphqlName})` : ''
  if (before.name !== after.name)
    return [{ how: 'renamed', text: `renamed from ${before.name}${field}`, breaks }]
  return differs('graphqlName', before.graphqlName, after.graphqlName, breaks)
}
