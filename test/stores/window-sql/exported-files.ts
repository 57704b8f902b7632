import { mkdir } from 'node:fs/promises'
import path from 'node:path'
import { type DuckDBConnection, DuckDBTimestampTZValue, TIMESTAMPTZ } from '@duckdb/node-api'
import type { Micros } from '../../../src/definitions/timestamp.ts'
import type { Value } from '../../../src/definitions/value.ts'
import type { ScalarType } from '../../../src/definitions/value-type.ts'
import { duckDbColumn } from '../../../src/stores/duckdb/duckdb-type.ts'
import { fields, type PlacedEvent, type WindowWorld } from './window-world.ts'

const events = Object.entries(fields) as readonly (readonly [string, ScalarType])[]

/** Events as `featuregraph export` writes them: a folder for each day of the time that they count at. */
export async function writeEvents(
  connection: DuckDBConnection,
  folder: string,
  written: readonly PlacedEvent[],
): Promise<void> {
  const columns = [
    ...events.map(([name, type]) => `"${name}" ${duckDbColumn(type).type}`),
    'event_timestamp TIMESTAMPTZ, _counted_at TIMESTAMPTZ, _stored_at TIMESTAMPTZ',
    '_topic VARCHAR, _partition INTEGER, _offset BIGINT, counts BOOLEAN',
  ]
  await connection.run(`create or replace temp table exported (${columns.join(', ')})`)
  const appender = await connection.createAppender('exported')
  for (const { at, storedAt = at, topic, partition, offset, counts, fields: values } of written) {
    for (const [name, type] of events) {
      const column = duckDbColumn(type)
      appender.appendValue(column.value((values[name] ?? null) as Value | null), column.type)
    }
    for (const time of [at, at, storedAt])
      appender.appendValue(new DuckDBTimestampTZValue(BigInt(time)), TIMESTAMPTZ)
    appender.appendVarchar(topic)
    appender.appendInteger(partition)
    appender.appendBigInt(BigInt(offset))
    appender.appendBoolean(counts)
    appender.endRow()
  }
  appender.closeSync()
  await mkdir(folder, { recursive: true })
  await connection.run(
    `copy (select *, strftime(_counted_at at time zone 'UTC', '%Y-%m-%d') as day from exported)
     to '${folder}' (format parquet, partition_by (day), overwrite_or_ignore)`,
  )
}

/**
 * A world whose older files were written before two of its fields were there: half of its events. What is then read of them.
 */
export async function writeDriftedEvents(
  connection: DuckDBConnection,
  folder: string,
  world: WindowWorld,
): Promise<WindowWorld> {
  const half = Math.ceil(world.events.length / 2)
  const [older, newer] = [world.events.slice(0, half), world.events.slice(half)]
  const whole = `${folder}-whole`
  await writeEvents(connection, whole, older)
  await writeEvents(connection, path.join(folder, 'newer'), newer)
  await mkdir(path.join(folder, 'older'))
  await connection.run(
    `copy (select * exclude (paid, price) from read_parquet('${whole}/**/*.parquet', hive_partitioning = false))
     to '${folder}/older/0.parquet'`,
  )
  const lacking = older.map((event) => ({ ...event, fields: { ...event.fields, paid: null, price: null } }))
  return { ...world, events: [...lacking, ...newer] }
}

/** How a value of a result stands in the tests: bigint and decimals as text of digits, bytes as hex. */
export interface WrittenRow {
  readonly key: string
  readonly time: Micros
  readonly closing: boolean
  readonly values: Readonly<Record<string, unknown>>
}

export async function readRows(
  connection: DuckDBConnection,
  folder: string,
  keys: readonly string[],
): Promise<readonly WrittenRow[]> {
  const reader = await connection.runAndReadAll(
    `select *, epoch_us(event_timestamp) as micros from read_parquet('${path.join(folder, '*.parquet')}')`,
  )
  return reader.getRowObjects().map((row) => ({
    key: JSON.stringify(keys.map((name) => String(row[name]))),
    time: Number(row['micros']),
    closing: row['closing'] === true,
    values: row,
  }))
}
