import { mkdir } from 'node:fs/promises'
import { type DuckDBConnection, DuckDBTimestampTZValue, TIMESTAMPTZ } from '@duckdb/node-api'
import fc from 'fast-check'
import { stream, windowedView } from 'featuregraph'
import type { Micros } from '../../../src/definitions/timestamp.ts'
import type { EntityKey, KeyValue, ScalarValue, Value } from '../../../src/definitions/value.ts'
import type { ValueType } from '../../../src/definitions/value-type.ts'
import { buildRegistry } from '../../../src/registry/build-registry.ts'
import type { StreamView } from '../../../src/registry/registry.ts'
import { duckDbColumn } from '../../../src/stores/duckdb/duckdb-type.ts'
import type { JoinedKnownAt, JoinedRead } from '../../../src/stores/file-join.ts'
import type { StoredOfflineView } from '../../../src/stores/offline-view.ts'
import { type NumberedRow, newestRow } from '../../../src/testing/newest-row.ts'
import { offlineView } from '../../contract/offline-store.ts'
import { isPresent } from '../../oracle/window-oracle.ts'
import { countedEvents, type ExpectedValue, expectedValue } from '../window-sql/expected-snapshots.ts'
import { writeEvents } from '../window-sql/exported-files.ts'
import {
  arbitraryAggregation,
  customer,
  drawnEvent,
  type PlacedEvent,
  sales,
  terminal,
} from '../window-sql/window-world.ts'

/** A training set: rows of a plain view, events of a streaming one, and the rows of a spine that ask for both. */
export interface JoinWorld {
  readonly profile: StoredOfflineView
  readonly recent: StreamView
  /** In the order of arrival, which is that of their row ids. */
  readonly rows: readonly NumberedRow[]
  readonly events: readonly PlacedEvent[]
  readonly spine: readonly { readonly key: EntityKey; readonly t: Micros }[]
  readonly knownAt: JoinedKnownAt
}

export interface ExpectedAnswer {
  readonly eventTimestamp: Micros
  readonly values: readonly ExpectedValue[]
}

const second = 1_000_000
const hour = 3_600 * second
const features = { n: 'int64', x: 'float64', text: 'string' } as const

/** The plain views of both entities: a store's tables. */
export const profiles = [customer, terminal].map((of) =>
  offlineView(`${of.name}_profile`, of.joinKeys, features),
)

const entityKeys: readonly (readonly EntityKey[])[] = [
  [[1], [2], ['9007199254740993'], [404]],
  ['a', 'b', '', 'nobody'].flatMap((shop) =>
    ['123e4567-e89b-12d3-a456-426614174000', 'ffffffff-ffff-4fff-bfff-ffffffffffff'].map(
      (till): EntityKey => [shop, till],
    ),
  ),
]

/** Few moments, so that ties and exact hits are common, around a bound of every hop; also before 1970. */
const arbitraryMoment = (around: Micros): fc.Arbitrary<Micros> =>
  fc
    .record({
      hours: fc.constantFrom(0, 0, 0, 1, -1, -2, -5, -12, -24, -36, -100, -168),
      beside: fc.constantFrom(0, 0, 0, -1, 1, second, -3 * second, 420 * second, 1_800 * second),
    })
    .map(({ hours, beside }) => around + hours * hour + beside)

const delay = fc.constantFrom(0, 1, 300 * second, hour, 30 * hour)

export const joinWorld: fc.Arbitrary<JoinWorld> = fc
  .record({
    entity: fc.constantFrom(0, 1),
    around: fc.constantFrom(Date.UTC(2026, 5, 1) * 1_000, Date.UTC(1969, 11, 31) * 1_000),
    aggregations: fc.array(arbitraryAggregation, { minLength: 1, maxLength: 5 }),
  })
  .chain(({ entity: place, around, aggregations }) => {
    const keys = entityKeys[place] ?? []
    const known = keys.slice(0, -1)
    const moment = arbitraryMoment(around)
    const of = [customer, terminal][place] ?? customer
    const knownAt = fc.oneof(
      fc.constant<JoinedKnownAt>({ kind: 'ALL' }),
      moment.map((at): JoinedKnownAt => ({ kind: 'MOMENT', at })),
      delay.map((delayMicros): JoinedKnownAt => ({ kind: 'ROW', delayMicros })),
    )
    const row = fc.record({ key: fc.constantFrom(...known), event: moment, created: fc.option(moment) })
    const event = fc.record({ ...drawnEvent, key: fc.constantFrom(...known), at: moment, late: delay })
    return fc
      .record({
        knownAt,
        drawnRows: fc.array(row, { minLength: 1, maxLength: 60, size: 'max' }),
        drawnEvents: fc.array(event, { minLength: 1, maxLength: 60, size: 'max' }),
        spine: fc.array(fc.record({ key: fc.constantFrom(...keys), t: moment }), {
          ...{ minLength: 1, maxLength: 60, size: 'max' },
        }),
      })
      .map(
        ({ knownAt: known, drawnRows, drawnEvents, spine }): JoinWorld => ({
          ...{
            profile: profiles[place] ?? fail(),
            recent: streamingView(of, aggregations),
            spine,
            knownAt: known,
          },
          rows: drawnRows.map(({ key, event: eventTimestamp, created: createdTimestamp }, index) => ({
            ...{ key, eventTimestamp, createdTimestamp, rowId: index + 1 },
            // By its number every row differs from every other.
            values: [index, index % 5 === 0 ? null : index / 3, index % 7 === 0 ? null : `row ${index}`],
          })),
          events: drawnEvents.map(({ key, at, late, topic, partition, counts, ...values }, offset) => ({
            ...{ at, storedAt: at + late, topic, partition, offset, counts },
            fields: {
              ...Object.fromEntries(
                Object.entries(values).map(([name, value]) => [name, finite(within18Digits(name, value))]),
              ),
              ...Object.fromEntries(Object.keys(of.joinKeys).map((name, part) => [name, key[part] ?? null])),
            },
          })),
        }),
      )
  })

/** Known to differ: sums of decimals are null beyond 18 digits by DuckDB and Spark, beyond 64 bits by Postgres (docs/training-sets.md). */
function within18Digits(name: string, value: ScalarValue | null): ScalarValue | null {
  return name === 'price' && typeof value === 'string'
    ? value.replace('9000000000000000', '90000000000000')
    : value
}

/** An export has no other number: these windows are read of exports alone. */
function finite(value: ScalarValue | null): ScalarValue | null {
  return typeof value === 'number' && !Number.isFinite(value) ? null : value
}

function streamingView(
  of: typeof customer | typeof terminal,
  aggregations: readonly Parameters<typeof windowedView>[1]['features'][string][],
): StreamView {
  const view = windowedView('recent', {
    ...{ entity: of, source: sales, compute: stream(), online: false },
    features: Object.fromEntries(aggregations.map((one, index) => [`feature_${index}`, one])),
  })
  const [built] = buildRegistry([of, sales, view].map((value) => ({ path: 'world', value }))).views
  if (built?.kind !== 'STREAM') throw new Error('no streaming view')
  return built
}

function fail(): never {
  throw new Error('no such entity')
}

export function knownMoment(knownAt: JoinedKnownAt, t: Micros): Micros | null {
  if (knownAt.kind === 'ALL') return null
  return knownAt.kind === 'MOMENT' ? knownAt.at : t + knownAt.delayMicros
}

/** Of the plain view, then of the streaming one: an answer for each row of the spine, row by row and event by event. */
export function expectedAnswers(world: JoinWorld): readonly (readonly (ExpectedAnswer | null)[])[] {
  const { rows, events, spine, knownAt, recent } = world
  const ordered = countedEvents(events)
  return [
    spine.map(({ key, t }) => {
      const row = newestRow(rows, { key, asOf: t, knownAt: knownMoment(knownAt, t) })
      if (row === null) return null
      const values = row.values.map((value) => ({ value: value as ExpectedValue['value'], tolerance: null }))
      return { eventTimestamp: row.eventTimestamp, values }
    }),
    spine.map(({ key, t }) => {
      const known = knownMoment(knownAt, t)
      const own = ordered.filter(
        ({ fields, storedAt }) =>
          recent.entity.joinKeys.every(({ name }, index) => fields[name] === key[index]) &&
          (known === null || (storedAt ?? 0) <= known),
      )
      if (!isPresent(recent.aggregations, own, t)) return null
      const reach = Math.min(
        ...recent.aggregations.map(
          ({ windowMicros, hopMicros }) => Math.floor((t - windowMicros) / hopMicros) * hopMicros,
        ),
      )
      const inside = own.filter(({ at }) => at >= reach && at < t)
      return {
        eventTimestamp: Math.max(...inside.map(({ at }) => at)),
        values: recent.aggregations.map((one) => expectedValue(one, own, t)),
      }
    }),
  ]
}

/** The world as files below a folder: `spine.parquet`, `profile/`, `sales/`; and what joins them. */
export async function writeJoinWorld(
  connection: DuckDBConnection,
  folder: string,
  { profile, recent, rows, events, spine, knownAt }: JoinWorld,
): Promise<{ readonly reads: readonly JoinedRead[]; readonly knownAt: JoinedKnownAt }> {
  await mkdir(`${folder}/profile`, { recursive: true })
  await writeEvents(connection, `${folder}/sales`, events)
  const { joinKeys } = profile.entity
  await writeTable(
    connection,
    `${folder}/spine.parquet`,
    [
      ['place', 'int64'],
      ['t', 'int64'],
      ...joinKeys.map(({ type }, index) => [`key_${index}`, type] as const),
    ],
    spine.map(({ key, t }, place) => [place, t, ...key]),
  )
  await writeTable(
    connection,
    `${folder}/profile/rows.parquet`,
    [
      ...joinKeys.map(({ name, type }) => [name, type] as const),
      ...(['event_timestamp', 'created_timestamp'] as const).map((name) => [name, 'timestamp'] as const),
      ['row_id', 'int64'],
      ...profile.features.map(({ name, type }) => [name, type] as const),
    ],
    rows.map(({ key, eventTimestamp, createdTimestamp, rowId, values }) => [
      ...key,
      ...[eventTimestamp, createdTimestamp, rowId],
      ...values,
    ]),
  )
  const keys = joinKeys.map(({ name, type }, place) => ({ name, type, place }))
  const own = { keys, notKnown: { kind: 'NONE' } as const }
  const source = {
    ...({ kind: 'parquet', format: 'parquet', name: 'profile', path: `${folder}/profile` } as const),
    ...{ eventTimestamp: 'event_timestamp', createdTimestamp: 'created_timestamp', rowId: 'row_id' },
    ...{ columns: {}, empty: {}, partitions: {} },
  }
  const file = (path: string) => ({ path, bytes: 0, checksum: '' })
  const reader = await connection.runAndReadAll(`select file from glob('${folder}/sales/**/*.parquet')`)
  return {
    knownAt,
    reads: [
      {
        ...{ kind: 'ROWS', ...own, ttlMicros: null, view: { ...profile, kind: 'PLAIN', source } },
        files: { of: 'profile', path: source.path, files: [file(`${source.path}/rows.parquet`)] },
        features: profile.features.map(({ name, type }) => ({ name, type, emptyValue: null })),
      },
      {
        ...{ kind: 'WINDOWS', ...own, view: recent.name, events: recent.events },
        aggregations: recent.aggregations,
        files: {
          ...{ of: 'sales', path: `${folder}/sales` },
          files: reader.getRows().map(([path]) => file(String(path))),
        },
        features: recent.features.map(({ name, type }, index) => ({
          ...{ name, type, emptyValue: recent.emptyValues[index] ?? null },
        })),
      },
    ],
  }
}

async function writeTable(
  connection: DuckDBConnection,
  file: string,
  columns: readonly (readonly [name: string, type: ValueType])[],
  rows: readonly (readonly (Value | KeyValue | null)[])[],
): Promise<void> {
  const stored = columns.map(([, type]) => (type === 'timestamp' ? null : duckDbColumn(type)))
  const types = columns.map(([name], index) => `"${name}" ${stored[index]?.type ?? 'TIMESTAMPTZ'}`)
  await connection.run(`create or replace temp table written (${types.join(', ')})`)
  const appender = await connection.createAppender('written')
  for (const row of rows) {
    for (const [index, value] of row.entries()) {
      const column = stored[index]
      if (column) appender.appendValue(column.value(value), column.type)
      else if (value === null) appender.appendNull()
      else appender.appendValue(new DuckDBTimestampTZValue(BigInt(Number(value))), TIMESTAMPTZ)
    }
    appender.endRow()
  }
  appender.closeSync()
  await connection.run(`copy written to '${file}' (format parquet)`)
}
