import type pg from 'pg'
import type { ValueType } from '../../../definitions/value-type.ts'
import type { EntityRows } from '../../entity-rows.ts'
import type { OfflineView } from '../../offline-view.ts'
import { sqlType } from '../sql/column-type.ts'
import { copyRows } from '../sql/copy-rows.ts'
import { numberRows } from './number-rows.ts'

type JoinKeys = OfflineView['entity']['joinKeys']

/** What stands behind FROM. */
export const entityTable = 'pg_temp.featuregraph_entity_rows'

/** Rows that gather before they are sent. */
const flushBytes = 262_144
const rowsAtOnce = 4_096

/**
 * Entity rows `from` to `to` as a temporary table of the connection's transaction, columns as those of `e` in an as-of join, in
 * the rows' order: a join reads them so. Made anew by each call; the statistics keep the planner from thinking that it is small.
 */
export async function fillEntityTable(
  client: pg.ClientBase,
  joinKeys: JoinKeys,
  rows: EntityRows,
  { from, to }: { readonly from: number; readonly to: number },
): Promise<void> {
  const { keys, asOf, knownAt } = rows
  const columns = [
    'place integer',
    ...joinKeys.map(({ type }, index) => `key_${index} ${sqlType(type)}`),
    'as_of timestamptz',
    'known_at timestamptz',
  ]
  await client.query(`drop table if exists ${entityTable}`)
  await client.query(`create temporary table featuregraph_entity_rows (${columns.join(', ')}) on commit drop`)
  const types: ValueType[] = ['int32', ...joinKeys.map(({ type }) => type), 'timestamp', 'timestamp']
  const copy = copyRows(client, entityTable, types)
  try {
    const numbers = keys.filter((column) => column instanceof Float64Array)
    const encode = numbers.length === keys.length ? numberRows(joinKeys, numbers, rows) : null
    for (let place = from; place < to; ) {
      if (encode !== null) {
        const end = Math.min(to, place + rowsAtOnce)
        copy.addEncoded(encode(place, end))
        place = end
      } else {
        copy.add([place, ...keys.map((column) => column[place] ?? null), asOf[place] ?? null, knownAt(place)])
        place += 1
      }
      if (copy.size() >= flushBytes) await copy.flush()
    }
    await copy.end()
  } catch (error) {
    await copy.abort()
    throw error
  }
  await client.query(`analyze ${entityTable}`)
}

/** A standby has no temporary tables, and a role may lack the right to make one. */
export async function mayMakeTables(client: pg.ClientBase): Promise<boolean> {
  const { rows } = await client.query<{ may: boolean }>(
    `select not pg_is_in_recovery() and current_setting('transaction_read_only') = 'off'
       and has_database_privilege(current_database(), 'TEMPORARY') as may`,
  )
  return rows[0]?.may === true
}
