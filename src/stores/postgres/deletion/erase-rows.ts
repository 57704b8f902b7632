import { formatTimestamp, type Micros } from '../../../definitions/timestamp.ts'
import { type DeletionSource, type DeletionView, type EntityToDelete, sameKey } from '../../deletion-store.ts'
import type { OfflineView } from '../../offline-view.ts'
import type { EventKeys } from '../../stored-event-source.ts'
import { selectExpression, sqlType } from '../sql/column-type.ts'
import { quoteIdentifier } from '../sql/identifier.ts'
import type { Sql } from '../sql/statement.ts'
import { eventSchema, eventTable } from '../tables/event-table.ts'
import { featureSchema, featureTable, managedTable } from '../tables/feature-table.ts'

export interface EraseStatement {
  /** The name of the table in a receipt. */
  readonly place: string
  readonly sql: Sql
  /** Views whose keys the statement returns; without any it returns nothing. */
  readonly keysOf: readonly DeletionView[]
  /** The fields that it returns, each combination once; behind them stands how many rows of it were deleted. */
  readonly returned: readonly string[]
}

/**
 * Statements that delete what stands of an entity: rows that happened up to the moment, or were known by then (dated ahead,
 * they would come up later). Of one place there may be several.
 */
export function eraseStatements(
  project: string,
  deletion: EntityToDelete,
  deletedAt: Micros,
): readonly EraseStatement[] {
  const { views, sources } = deletion
  return [
    ...views
      // A streaming view has no rows of its own.
      .filter((view) => view.kind !== 'STREAM')
      .filter((view) => view.source === null)
      .map((view) =>
        returningKeys(
          `${featureSchema(project)}.${view.id}`,
          eraseRows(managedTable(project, view), deletion, deletedAt, 'created_timestamp'),
          [view].filter((one) => isWider(one, deletion)),
        ),
      ),
    ...sources
      .filter(({ table }) => table === null)
      .map((source) =>
        returningKeys(
          `${eventSchema(project)}.${source.name}`,
          eraseRows(eventTable(project, source), deletion, deletedAt, 'ingested_at'),
          views.filter(
            (view) => view.kind === 'STREAM' && view.events.name === source.name && isWider(view, deletion),
          ),
        ),
      ),
    ...[...views.map(recordedOfView), ...sources.map(recordedOfSource)].flatMap((recorded) => {
      const violations = eraseViolations(project, recorded, deletion, deletedAt)
      const quarantine = eraseQuarantine(project, recorded, deletion, deletedAt)
      return [
        ...(violations === null ? [] : [returningKeys('violations', violations, [])]),
        returningKeys('quarantine', quarantine, []),
      ]
    }),
  ]
}

/** One statement deletes and counts: what comes in between two could be deleted uncounted. */
function returningKeys(place: string, sql: Sql, keysOf: readonly DeletionView[]): EraseStatement {
  const returned = [...new Set(keysOf.flatMap(({ entity }) => entity.joinKeys.map(({ name }) => name)))]
  if (returned.length === 0) return { place, sql, keysOf, returned }
  const columns = returned.map(quoteIdentifier).join(', ')
  const text = [
    'with erased as (',
    sql.text,
    `returning ${columns}`,
    ')',
    `select ${columns}, count(*) from erased group by ${columns}`,
  ].join('\n')
  return { place, sql: { ...sql, text }, keysOf, returned }
}

function eraseRows(
  table: string,
  { entity, key }: EntityToDelete,
  deletedAt: Micros,
  known: 'created_timestamp' | 'ingested_at',
): Sql {
  const values: unknown[] = [formatTimestamp(deletedAt)]
  const conditions = keyConditions(entity.joinKeys, key, quoteIdentifier, values)
  const moment = '$1::timestamptz'
  return {
    text: [
      `delete from ${table}`,
      `where ${conditions.join(' and ')}`,
      `  and (event_timestamp <= ${moment} or ${known} is null or ${known} <= ${moment})`,
    ].join('\n'),
    values,
  }
}

function keyConditions(
  joinKeys: EventKeys,
  key: EntityToDelete['key'],
  column: (name: string) => string,
  values: unknown[],
): readonly string[] {
  return joinKeys.map(
    ({ name, type }, place) => `${column(name)} = $${values.push(key[place])}::${sqlType(type)}`,
  )
}

/** Whose violations and quarantined rows are recorded under a name. */
interface RecordedKeys {
  readonly name: string
  /** What a violation's key holds, in order. */
  readonly keyNames: readonly string[]
}

const recordedOfView = ({ id, entity }: DeletionView): RecordedKeys => ({
  name: id,
  keyNames: entity.joinKeys.map((key) => key.name),
})

const recordedOfSource = ({ name, fields, keyFields }: DeletionSource): RecordedKeys => ({
  name,
  keyNames: fields.map((field) => field.name).filter((field) => keyFields.some((key) => key.name === field)),
})

/** Null where violations do not hold the whole key. */
function eraseViolations(
  project: string,
  { name, keyNames }: RecordedKeys,
  { entity, key }: EntityToDelete,
  deletedAt: Micros,
): Sql | null {
  const values: unknown[] = [project, name, formatTimestamp(deletedAt)]
  const conditions = entity.joinKeys.map((joinKey, place) => {
    const at = keyNames.indexOf(joinKey.name)
    return at < 0 ? null : `key[${at + 1}] = $${values.push(String(key[place]))}`
  })
  if (conditions.includes(null)) return null
  return {
    text: [
      'delete from featuregraph.violations',
      `where project = $1 and view = $2 and ${conditions.join(' and ')}`,
      '  and (event_timestamp <= $3::timestamptz or recorded_at <= $3::timestamptz)',
    ].join('\n'),
    values,
  }
}

/**
 * Rows are quarantined as they came: a pushed one and one of a file with its key by name, a computed one with its key in
 * order; a source's field may stand among the values.
 */
function eraseQuarantine(
  project: string,
  { name, keyNames }: RecordedKeys,
  { entity, key }: EntityToDelete,
  deletedAt: Micros,
): Sql {
  const values: unknown[] = [project, name, formatTimestamp(deletedAt)]
  const conditions = entity.joinKeys.map((joinKey, place) => {
    const value = `$${values.push(String(key[place]))}`
    const field = `$${values.push(joinKey.name)}::text`
    const at = keyNames.indexOf(joinKey.name)
    const found = [
      `content->'key'->>${field}`,
      `content->'values'->>${field}`,
      ...(at < 0 ? [] : [`content->'key'->>${at}`]),
    ]
    const asItCame = `coalesce(${found.join(', ')})`
    // The caller's own case.
    return `${joinKey.type === 'uuid' ? `lower(${asItCame})` : asItCame} = ${value}`
  })
  return {
    text: [
      'delete from featuregraph.quarantine',
      `where project = $1 and view = $2 and recorded_at <= $3::timestamptz and ${conditions.join(' and ')}`,
    ].join('\n'),
    values,
  }
}

/** Its rows may be online under keys that the entity's own does not give. */
export function isWider(view: DeletionView, deletion: EntityToDelete): boolean {
  return view.online && view.source?.kind !== 'parquet' && sameKey(deletion, view) === null
}

/**
 * The different keys of a wider view's rows that are of the entity; mapped ones as `fromSql` reads them. Of a streaming view
 * those of its stored events.
 */
export function widerKeysSql(project: string, view: OfflineView, { entity, key }: EntityToDelete): Sql {
  const table =
    view.kind === 'STREAM'
      ? { from: eventTable(project, view.events), column: quoteIdentifier }
      : featureTable(project, view)
  const values: unknown[] = []
  const column = (name: string): string => {
    const type = view.entity.joinKeys.find((joinKey) => joinKey.name === name)?.type ?? 'string'
    return selectExpression(type, `x.${table.column(name)}`)
  }
  const columns = view.entity.joinKeys.map(({ name }) => column(name))
  const conditions = [
    ...keyConditions(entity.joinKeys, key, column, values),
    ...columns.map((one) => `${one} is not null`),
  ]
  return {
    text: [
      `select distinct ${columns.map((one, index) => `${one} as k${index}`).join(', ')}`,
      `from ${table.from} as x`,
      `where ${conditions.join(' and ')}`,
    ].join('\n'),
    values,
  }
}
