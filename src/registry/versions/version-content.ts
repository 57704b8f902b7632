import { z } from 'zod'
import { valueType } from '../../definitions/value-type.ts'
import { messageOf, RegistryUnreadable } from '../../errors.ts'
import { buildRegistry } from '../build-registry.ts'
import type { FeatureColumn, Identities } from '../identities.ts'
import type { Definition } from '../parse-definitions.ts'
import type { Registry } from '../registry.ts'

/** How versions are written; a program reads this one and those before it. 2: with on-demand views. */
export const contentFormat = 2

const featureColumn = z.strictObject({ name: z.string(), type: valueType })
const retiredColumn = z.strictObject({ ...featureColumn.shape, feature: z.string().optional() })
const viewIdentity = z.strictObject({
  id: z.string(),
  features: z.record(z.string(), z.strictObject({ id: z.string(), columns: z.array(featureColumn) })),
})
const identities = z.strictObject({
  entities: z.record(z.string(), z.string()),
  views: z.record(z.string(), viewIdentity),
})

const versionContent = z.strictObject({
  definitions: z.array(z.record(z.string(), z.unknown())),
  identities,
  retired: z.strictObject({
    entities: z.array(z.string()),
    views: z.array(viewIdentity),
    columns: z.record(z.string(), z.array(retiredColumn)),
  }),
})

/** What was defined once and is no more, and still stands in tables: it is found again under its name, until it is pruned. */
export interface Retired {
  /** Ids. */
  readonly entities: readonly string[]
  readonly views: readonly Identities['views'][string][]
  /** Of views that are still defined, by view id. */
  readonly columns: Readonly<Record<string, readonly RetiredColumn[]>>
}

export interface RetiredColumn extends FeatureColumn {
  /** The id of the feature whose values stand there; left out: the column's name. */
  readonly feature?: string | undefined
}

/** A version of the registry as it is stored: the definitions as their functions return them, without files. */
export interface VersionContent {
  readonly definitions: readonly Readonly<Record<string, unknown>>[]
  readonly identities: Identities
  readonly retired: Retired
}

/** The oldest that a program must know to read the version. */
export function formatOf({ definitions }: Pick<VersionContent, 'definitions'>): number {
  return definitions.some(({ kind }) => kind === 'on-demand-view') ? contentFormat : 1
}

/** As JSON; the order of definitions and of their features is kept, since it is part of them. */
export function encodeContent(content: VersionContent): string {
  return JSON.stringify(content)
}

/** @throws RegistryUnreadable for what another program has written otherwise. */
export function decodeContent(text: string, format: number): VersionContent {
  if (format > contentFormat)
    throw new RegistryUnreadable(
      `the registry was written by a newer program (format ${format}, this one reads up to ${contentFormat}); update this program`,
    )
  try {
    return versionContent.parse(JSON.parse(text))
  } catch (cause) {
    throw new RegistryUnreadable(`a version of the registry cannot be read: ${messageOf(cause)}`, { cause })
  }
}

/** The registry that a stored version is. @throws InvalidDefinitions where this program refuses its definitions. */
export function registryOf(content: VersionContent): Registry {
  return buildRegistry(definitionsOf(content), [], content.identities)
}

/** As they come from files. */
export function definitionsOf({ definitions }: Pick<VersionContent, 'definitions'>): readonly Definition[] {
  return definitions.map((value) => ({ path: 'the registry', value }))
}
