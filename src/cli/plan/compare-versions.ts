import type { SchemaChange } from '../../graph/breaking-changes.ts'
import { type Change, changesBetween } from '../../registry/versions/changes.ts'
import { registryOf, type VersionContent } from '../../registry/versions/version-content.ts'

export interface Comparison {
  readonly changes: readonly Change[]
  /** What GraphQL clients may meet, by graphql-js; nothing before the first version. */
  readonly schema: readonly SchemaChange[]
}

/** GraphQL is loaded only where something differs. */
export async function compareVersions(
  before: VersionContent | null,
  after: VersionContent,
): Promise<Comparison> {
  const changes = changesBetween(before, after)
  if (before === null || changes.length === 0) return { changes, schema: [] }
  const { schemaChanges } = await import('../../graph/breaking-changes.ts')
  const schema = schemaChanges(registryOf(before), registryOf(after))
  if (changes.some(({ breaks }) => breaks.includes('graphql'))) return { changes, schema }
  // The schema has the last word.
  const unnamed = schema
    .filter(({ isBreaking }) => isBreaking)
    .map(
      ({ path, text }): Change => ({ place: `GraphQL ${path}`, how: 'changed', text, breaks: ['graphql'] }),
    )
  return { changes: [...changes, ...unnamed], schema }
}

/** What it breaks in all, in the order in which that is said. */
export function brokenBy(changes: readonly Change[]): readonly Change['breaks'][number][] {
  return (['graphql', 'services', 'models', 'rows'] as const).filter((one) =>
    changes.some(({ breaks }) => breaks.includes(one)),
  )
}
