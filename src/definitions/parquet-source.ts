import { z } from 'zod'
import { columnName, timezone } from './data-source.ts'
import { registryName } from './name.ts'

/** What the value of a Hive partition column says of the event timestamps below it. */
const partitionUnits = ['year', 'month', 'day', 'hour'] as const
export type PartitionUnit = (typeof partitionUnits)[number]

const partitionUnit = z.enum(partitionUnits, {
  error: `a partition column counts ${partitionUnits.slice(0, -1).join(', ')} or ${partitionUnits.at(-1)}`,
})

/**
 * Rows that already stand in Parquet files or a Delta table. Nothing is copied and nothing is written there.
 * `columns` maps registry names (join keys, features) to columns where they differ.
 */
export const parquetSourceDefinition = z
  .strictObject({
    kind: z.literal('parquet'),
    name: registryName,
    path: z.string().min(1),
    format: z
      .enum(['parquet', 'delta'], { error: 'format is parquet (or left out) or delta' })
      .default('parquet'),
    eventTimestamp: columnName,
    createdTimestamp: columnName.optional(),
    rowId: columnName.optional(),
    closing: columnName.optional(),
    empty: z.record(registryName, z.number()).default({}),
    timezone: timezone.optional(),
    columns: z.record(registryName, columnName).default({}),
    partitions: z.record(columnName, partitionUnit).default({}),
  })
  .refine((source) => source.format === 'parquet' || Object.keys(source.partitions).length === 0, {
    error: "partitions are of Parquet folders; a Delta table's own log says what its files hold",
  })

export type ParquetSourceDefinition = z.input<typeof parquetSourceDefinition>
/** As checked. */
export type ParquetSource = z.output<typeof parquetSourceDefinition>

/**
 * Parquet files as a view's rows: a folder with all `*.parquet` below it, a pattern (`rows/*.parquet`), the same under `s3://`, or
 * with `format: 'delta'` a Delta table. Without `createdTimestamp` every row is known always; without `rowId` two rows with
 * equal times promise no order. `closing` is a boolean column: where it is true, the row answers as if there were none, but newer than
 * those before it; `empty` gives what features are then, as a count's 0, where they are not null. `timezone` is that of timestamps
 * without a zone, which are refused else. `partitions` names the Hive partition columns that follow the event timestamp in UTC
 * (`{ day: 'day' }` for `day=2026-11-28`), so that files of other times are not read.
 */
export function parquetSource(
  name: string,
  options: Omit<ParquetSourceDefinition, 'kind' | 'name'>,
): ParquetSourceDefinition {
  return { kind: 'parquet', name, ...options }
}
