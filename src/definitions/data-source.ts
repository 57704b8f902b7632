import { z } from 'zod'
import { registryName } from './name.ts'
import { readingOptions } from './source-reading.ts'

export const columnName = z.string().min(1).max(63)

/** A name of the IANA time zone database. */
export const timezone = z.string().refine(isTimezone, {
  error: 'a timezone is a name of the IANA database, as UTC or Europe/Berlin',
})

function isTimezone(name: string): boolean {
  try {
    return name !== '' && new Intl.DateTimeFormat('en', { timeZone: name }) !== null
  } catch {
    return false
  }
}

/**
 * Rows that already stand in Postgres. Nothing is copied and nothing is written there.
 * `columns` maps registry names (join keys, features) to columns where they differ.
 */
export const postgresSourceDefinition = z
  .strictObject({
    kind: z.literal('postgres'),
    name: registryName,
    table: z.string().min(1).optional(),
    query: z.string().min(1).optional(),
    eventTimestamp: columnName,
    createdTimestamp: columnName.optional(),
    rowId: columnName.optional(),
    columns: z.record(registryName, columnName).default({}),
  })
  .refine((source) => (source.table === undefined) !== (source.query === undefined), {
    error: 'a Postgres source has either a table or a query',
  })

export type PostgresSourceDefinition = z.input<typeof postgresSourceDefinition>
/** As checked. */
export type PostgresSource = z.output<typeof postgresSourceDefinition>

/**
 * An existing table, view (`table`: `orders` or `sales.orders`) or query of the offline database as a view's rows.
 * Without `createdTimestamp` every row is known always; without `rowId` two rows with equal times promise no order.
 */
export function postgresSource(
  name: string,
  options: Omit<PostgresSourceDefinition, 'kind' | 'name'>,
): PostgresSourceDefinition {
  return { kind: 'postgres', name, ...options }
}

/** What a null created timestamp in a file means: with `arrival` the moment of the import, else see the sources. */
export const nullCreated = z.literal('arrival', { error: "nullCreated is 'arrival', or left out" })

/** Files whose rows `featuregraph import` brings into the table that the gateway makes for the view. */
export const fileSourceDefinition = z
  .strictObject({
    kind: z.literal('files'),
    name: registryName,
    eventTimestamp: columnName,
    createdTimestamp: columnName.optional(),
    nullCreated: nullCreated.optional(),
    timezone: timezone.optional(),
    ...readingOptions,
    columns: z.record(registryName, columnName).default({}),
  })
  .refine((source) => source.nullCreated === undefined || source.createdTimestamp !== undefined, {
    error: 'nullCreated says what a null in the created timestamp means: it needs createdTimestamp',
  })

export type FileSourceDefinition = z.input<typeof fileSourceDefinition>
/** As checked. */
export type FileSource = z.output<typeof fileSourceDefinition>

/**
 * Parquet, CSV or NDJSON files of finished feature rows. `columns` maps registry names (join keys, features) to the
 * files' columns where they differ; without `createdTimestamp` a row is known from its import on; with it a null there says
 * that the row was known always, or with `nullCreated: 'arrival'` from its import on; one later than the import is
 * quarantined. `timezone` is that of times without an offset; see `readingOptions` for the other forms of values.
 */
export function fileSource(
  name: string,
  options: Omit<FileSourceDefinition, 'kind' | 'name'>,
): FileSourceDefinition {
  return { kind: 'files', name, ...options }
}
