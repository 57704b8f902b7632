import type { DuckDBValue } from '@duckdb/node-api'
import type { Micros } from '../../../definitions/timestamp.ts'
import type { EntityKey, KeyValue } from '../../../definitions/value.ts'
import type { EntityToDelete } from '../../deletion-store.ts'
import type { ExampleKey } from '../../example-keys.ts'
import type { ParquetOfflineView } from '../../offline-view.ts'
import { allTimes } from './file-times.ts'
import { comparedKey, keyList, rowsOf } from './lake-sql.ts'
import { fromDuckDb } from './mapped-value.ts'
import { within } from './newest-rows.ts'
import { type LakeReader, readFiles } from './read-files.ts'

/** See `NewestRows.newestKeys`. */
export async function newestKeys(
  reader: LakeReader,
  view: ParquetOfflineView,
  now: Micros,
  limit: number,
): Promise<readonly EntityKey[]> {
  return await readFiles(reader, view, {
    ...{ doing: 'reading the newest keys', signal: null },
    read: async (connection, fileset) => {
      const rowsSql = await fileset.rowsSql(fileset.within({ from: null, to: now + 1 }))
      const text = `select ${keysOf(view, 'x')} from (${rowsSql}) as x where ${within(allTimes, now)} order by event desc limit ${limit}`
      const found = await rowsOf(connection, { text, values: [], types: [] })
      return found.map((columns) => readKey(view, columns))
    },
  })
}

/** A page waits for it. */
const patienceMs = 1_500
const rowsLookedAt = 1_000

/** The keys that have most of some rows of the newest file. */
export async function exampleKeys(
  reader: LakeReader,
  view: ParquetOfflineView,
  now: Micros,
  count: number,
): Promise<readonly ExampleKey[]> {
  const places = view.entity.joinKeys.map((_, index) => index + 1).join(', ')
  const found = await readFiles(reader, view, {
    ...{ doing: 'reading examples', signal: AbortSignal.timeout(patienceMs) },
    read: async (connection, fileset) => {
      const due = fileset.files.filter(fileset.within({ from: null, to: now + 1 }))
      const rowsSql = await fileset.rowsSql((file) => file === due.at(-1))
      const text = `select ${keysOf(view, 'x')}, epoch_us(min(event)), epoch_us(max(event))
from (select * from (${rowsSql}) where ${within(allTimes, now)} limit ${rowsLookedAt}) as x
group by ${places} order by count(*) desc, ${places} limit ${count}`
      return await rowsOf(connection, { text, values: [], types: [] })
    },
  }).catch(() => [])
  const { length } = view.entity.joinKeys
  return found.map((columns) => ({
    key: readKey(view, columns),
    oldest: Number(columns[length]),
    newest: Number(columns[length + 1]),
  }))
}

/** See `ParquetRows.keysOf`. */
export async function keysOfEntity(
  reader: LakeReader,
  view: ParquetOfflineView,
  { entity, key }: Pick<EntityToDelete, 'entity' | 'key'>,
): Promise<readonly EntityKey[]> {
  const lists = entity.joinKeys.map(({ type }, index) => keyList(type, [key[index]]))
  const conditions = entity.joinKeys.map(({ name }, index) => {
    const place = view.entity.joinKeys.findIndex((joinKey) => joinKey.name === name)
    return `${comparedKey(view, place, 'x')} = $${index + 1}[1]`
  })
  return await readFiles(reader, view, {
    ...{ doing: 'reading the keys of an entity', signal: null },
    read: async (connection, fileset) => {
      const rowsSql = await fileset.rowsSql(() => true)
      const found = await rowsOf(connection, {
        text: `select distinct ${keysOf(view, 'x')} from (${rowsSql}) as x where ${conditions.join(' and ')}`,
        values: lists.map(([value]) => value),
        types: lists.map(([, type]) => type),
      })
      return found.map((columns) => readKey(view, columns))
    },
  })
}

function keysOf(view: ParquetOfflineView, row: string): string {
  return view.entity.joinKeys.map((_, index) => comparedKey(view, index, row)).join(', ')
}

function readKey({ entity }: ParquetOfflineView, columns: readonly DuckDBValue[]): EntityKey {
  return entity.joinKeys.map(
    ({ type }, index) => fromDuckDb(type, columns[index] ?? null, () => {}) as KeyValue,
  )
}
