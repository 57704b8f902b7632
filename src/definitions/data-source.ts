import { z } from 'zod'
import { registryName } from './name.ts'

const columnName = z.string().min(1).max(63)

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
