import { fieldName, raiseFirst } from '../definitions/graphql-name.ts'
import type { Documented, Shown } from './registry.ts'

interface DocumentedParsed {
  readonly name: string
  readonly description?: string | undefined
  readonly owner?: string | undefined
  readonly tags: Readonly<Record<string, string>>
}

/** What every definition says of itself; what it leaves out is null. */
export function documentedHead({ name, description, owner, tags }: DocumentedParsed): Documented {
  return {
    name,
    description: description ?? null,
    owner: owner ?? null,
    tags: Object.entries(tags).map(([key, value]) => ({ key, value })),
  }
}

/** As `documentedHead`, of what has a place of its own in the GraphQL schema. */
export function shownHead(
  definition: DocumentedParsed & { readonly graphqlName?: string | undefined },
): Shown {
  const graphqlName = definition.graphqlName ?? fieldName(definition.name)
  return { ...documentedHead(definition), graphqlName, typeName: raiseFirst(graphqlName) }
}
