import { formatTimestamp, type Micros } from '../../../definitions/timestamp.ts'
import type { EntityKey, Value } from '../../../definitions/value.ts'
import type { ValueType } from '../../../definitions/value-type.ts'
import type { AsOfEntry, EntityRow } from '../../as-of-reader.ts'
import type { StoredOfflineView } from '../../offline-view.ts'
import { fromSql, sqlType } from '../sql/column-type.ts'
import { copyOut } from '../sql/copy-out.ts'
import { storeFailed } from '../sql/pool.ts'
import type { Sql } from '../sql/statement.ts'
import { snapshotParameter, visibleSql } from '../sql/visible-in.ts'
import { featureTable, selectedFeatureType, selectFeature } from '../tables/feature-table.ts'
import type { MergeOptions } from '../windows/merged-windows.ts'
import { asOfJoinSql } from './as-of-join.ts'
import { readAnswer } from './offline-store.ts'

export interface ScatterOptions extends MergeOptions {
  readonly countNonFinite: (view: string) => void
}

/** A view whose rows answer by themselves: what a batch view's snapshots say of its rows is asked of each entity row. */
export type ScatteredView = StoredOfflineView & { readonly kind: 'PLAIN' }

/** Entity rows of one key, as they stand among all. */
interface KeySlots {
  readonly key: EntityKey
  /** Ascending in time. */
  readonly places: readonly number[]
}

type FoundRow = readonly (Value | null)[]

/** Columns of a found row in front of its features. */
const [eventAt, createdAt, rowIdAt, featuresAt] = [1, 2, 3, 4]

/** How many rows a probe's statement takes. */
const probedRows = 1_000

/**
 * What `asOfJoin` answers of a plain view, one entry per row, in order, by reading every feature row of the rows' keys up to the
 * latest moment once, in no order and by no index: each is put to the first entity row of its key that it can answer, the newest
 * stays, and what no newer row answers is carried forward. Cost: a scan or the index, as the planner thinks best, and about a
 * microsecond per feature row read. Rows of a key need to stand side by side. Memory is that of the entity rows.
 * Rows that differ in `knownAt`, and row ids that only Postgres can order, are answered by probes.
 */
export async function streamedScatter(
  options: ScatterOptions,
  view: ScatteredView,
  rows: readonly EntityRow[],
): Promise<readonly AsOfEntry[]> {
  const [first] = rows
  if (first === undefined) return []
  try {
    const rowIds = await rowIdOrder(options, view)
    if (rowIds === null || rows.some(({ knownAt }) => knownAt !== first.knownAt))
      return await probe(options, view, rows)
    const keys = keySlots(rows)
    const found = new Array<FoundRow | null>(rows.length).fill(null)
    const isNewer = newerRow(rowIds)
    const { sql, types } = scatteredSql(options, view, { keys, rows, knownAt: first.knownAt, rowIds })
    for await (const batch of copyOut(options.client, sql, types)) {
      for (const row of batch) {
        const places = keys[Number(row[0]) - 1]?.places ?? []
        const place = places[firstSince(rows, places, Number(row[eventAt]))]
        if (place === undefined) continue
        const other = found[place] ?? null
        if (other === null || isNewer(row, other)) found[place] = row
      }
    }
    return answers(view, keys, found, options.countNonFinite)
  } catch (error) {
    return storeFailed(`reading the rows of ${view.name}`)(error)
  }
}

/** The first of a key's entity rows at or after a moment. */
function firstSince(rows: readonly EntityRow[], places: readonly number[], event: Micros): number {
  let [low, high] = [0, places.length]
  while (low < high) {
    const middle = (low + high) >> 1
    if ((rows[places[middle] ?? 0]?.asOf ?? 0) < event) low = middle + 1
    else high = middle
  }
  return low
}

function answers(
  { name, features }: ScatteredView,
  keys: readonly KeySlots[],
  found: readonly (FoundRow | null)[],
  countNonFinite: (view: string) => void,
): readonly AsOfEntry[] {
  const answer: AsOfEntry[] = found.map(() => null)
  const count = (): void => countNonFinite(name)
  for (const { places } of keys) {
    let newest: FoundRow | null = null
    for (const place of places) {
      newest = found[place] ?? newest
      if (newest === null) continue
      const created = newest[createdAt] ?? null
      answer[place] = {
        eventTimestamp: Number(newest[eventAt]),
        // Postgres' infinity is no moment.
        createdTimestamp: created === null || Math.abs(Number(created)) > 9e18 ? null : Number(created),
        values: features.map(({ type }, index) => fromSql(type, newest?.[featuresAt + index], count)),
        closing: false,
      }
    }
  }
  return answer
}

function keySlots(rows: readonly EntityRow[]): readonly KeySlots[] {
  const keys: { readonly key: EntityKey; readonly places: number[] }[] = []
  rows.forEach(({ key }, place) => {
    const last = keys.at(-1)
    if (last?.key.every((part, index) => part === key[index]) === true) last.places.push(place)
    else keys.push({ key, places: [place] })
  })
  for (const { places } of keys)
    places.sort((left, right) => (rows[left]?.asOf ?? 0) - (rows[right]?.asOf ?? 0) || left - right)
  return keys
}

type RowIdOrder = 'NONE' | 'INTEGER' | 'UUID'

/** By the oid of their type in `pg_type`; those of a domain are its base type's. */
const orderedIds: ReadonlyMap<number, RowIdOrder> = new Map([
  [20, 'INTEGER'],
  [21, 'INTEGER'],
  [23, 'INTEGER'],
  [2950, 'UUID'],
])

/** Null: by a collation, or some other rule of Postgres. */
async function rowIdOrder(
  { client, project }: ScatterOptions,
  view: ScatteredView,
): Promise<RowIdOrder | null> {
  const { from, rowId } = featureTable(project, view)
  if (rowId === null) return 'NONE'
  if (view.source === null) return 'INTEGER'
  const { fields } = await client.query(`select x.${rowId} from ${from} as x limit 0`)
  return orderedIds.get(fields[0]?.dataTypeID ?? 0) ?? null
}

/** By the total order of design section 3.1; of row ids Postgres has null as the largest. */
function newerRow(rowIds: RowIdOrder): (row: FoundRow, other: FoundRow) => boolean {
  return (row, other) => {
    const event = Number(row[eventAt]) - Number(other[eventAt])
    if (event !== 0) return event > 0
    const [created, otherCreated] = [row[createdAt] ?? null, other[createdAt] ?? null]
    if (created !== otherCreated)
      return otherCreated === null || (created !== null && Number(created) > Number(otherCreated))
    const [id, otherId] = [row[rowIdAt] ?? null, other[rowIdAt] ?? null]
    if (rowIds === 'NONE' || id === null || otherId === null) return rowIds !== 'NONE' && id === null
    if (rowIds === 'UUID') return String(id) > String(otherId)
    if (typeof id === 'number' && typeof otherId === 'number') return id > otherId
    return BigInt(String(id)) > BigInt(String(otherId))
  }
}

interface Scattered {
  readonly keys: readonly KeySlots[]
  readonly rows: readonly EntityRow[]
  readonly knownAt: Micros | null
  readonly rowIds: RowIdOrder
}

/** Per feature row of the keys: its key's place from 1, event and created timestamp, row id, features. In no order. */
export function scatteredSql(
  { project, visibleIn }: Pick<ScatterOptions, 'project' | 'visibleIn'>,
  view: ScatteredView,
  { keys, rows, knownAt, rowIds }: Scattered,
): { readonly sql: Sql; readonly types: readonly ValueType[] } {
  const { joinKeys } = view.entity
  const values: unknown[] = joinKeys.map((_, index) => keys.map(({ key }) => key[index]))
  const arrays = joinKeys.map(({ type }, index) => `$${index + 1}::${sqlType(type)}[]`)
  const names = joinKeys.map((_, index) => `key_${index}`)
  const table = featureTable(project, view)
  const event = `x.${table.eventTimestamp}`
  const created = table.createdTimestamp === null ? null : `x.${table.createdTimestamp}`
  const moment = (at: Micros): string => `$${values.push(formatTimestamp(at))}::timestamptz`
  let latest = Number.NEGATIVE_INFINITY
  for (const { asOf } of rows) latest = Math.max(latest, asOf)
  const conditions = [
    `${event} <= ${moment(latest)}`,
    // Of a mapped table; an entity row is never answered by it.
    ...(view.source === null ? [] : [`isfinite(${event})`]),
    ...(created === null || knownAt === null
      ? []
      : [`(${created} is null or ${created} <= ${moment(knownAt)})`]),
    ...(view.source === null ? visibleSql('x.ingested_xid', snapshotParameter(visibleIn, values)) : []),
  ]
  const equal = joinKeys.map(({ name, type }, index) => {
    // As in the probe.
    const cast = view.source !== null && type === 'string' ? '::text' : ''
    return `x.${table.column(name)}${cast} = k.key_${index}`
  })
  const rowIdColumn = { NONE: 'null::bigint', INTEGER: `x.${table.rowId}::bigint`, UUID: `x.${table.rowId}` }
  const columns = [
    'k.place',
    `${event}::timestamptz`,
    `${created ?? 'null'}::timestamptz`,
    rowIdColumn[rowIds],
    ...view.features.map((feature) => selectFeature(view, table, feature)),
  ]
  const text = [
    'with k as materialized (',
    `  select * from unnest(${arrays.join(', ')}) with ordinality as k(${[...names, 'place'].join(', ')})`,
    ')',
    `select ${columns.join(', ')}`,
    `from ${table.from} as x`,
    `join k on ${equal.join(' and ')}`,
    `where ${conditions.join(' and ')}`,
  ]
  return {
    sql: { text: text.join('\n'), values },
    types: [
      ...(['int64', 'timestamp', 'timestamp', rowIds === 'UUID' ? 'uuid' : 'int64'] as const),
      ...view.features.map((feature) => selectedFeatureType(view, feature)),
    ],
  }
}

async function probe(
  { client, project, visibleIn, countNonFinite }: ScatterOptions,
  view: ScatteredView,
  rows: readonly EntityRow[],
): Promise<readonly AsOfEntry[]> {
  const answer: AsOfEntry[] = []
  for (let from = 0; from < rows.length; from += probedRows) {
    const join = { views: [view], rows: rows.slice(from, from + probedRows), visibleIn }
    const sql = asOfJoinSql(project, join)
    const query = { text: sql.text, values: [...sql.values], rowMode: 'array' as const }
    const { rows: raw } = await client.query<unknown[]>(query)
    answer.push(...(readAnswer(join, raw, countNonFinite)[0] ?? []))
  }
  return answer
}

/** The statement, for a reader. */
export function scatteredStatement(options: ScatterOptions, view: ScatteredView): string {
  const row = { key: view.entity.joinKeys.map(() => 0), asOf: 0, knownAt: null }
  const keys = [{ key: row.key, places: [0] }]
  return scatteredSql(options, view, { keys, rows: [row], knownAt: null, rowIds: 'NONE' }).sql.text
}
