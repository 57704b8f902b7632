import type pg from 'pg'
import { formatTimestamp, type Micros } from '../../../definitions/timestamp.ts'
import type { EntityKey, ScalarValue } from '../../../definitions/value.ts'
import type { ValueType } from '../../../definitions/value-type.ts'
import {
  type Sweep,
  type SweptEvent,
  type SweptSpans,
  type WindowSweeper,
  windowSweeper,
} from '../../../windows/sweep-windows.ts'
import type { AsOfEntry, EntityRow } from '../../as-of-reader.ts'
import type { StreamedOfflineView } from '../../offline-view.ts'
import { countedAt, counts, furthestAhead } from '../events/counted-events.ts'
import { readStoredSince } from '../events/event-retention.ts'
import { type BinaryRow, copyOutEach } from '../sql/binary-row.ts'
import { sqlType } from '../sql/column-type.ts'
import { microsFrom1970To2000 } from '../sql/copy-binary.ts'
import { quoteIdentifier } from '../sql/identifier.ts'
import { storeFailed } from '../sql/pool.ts'
import type { Sql } from '../sql/statement.ts'
import { snapshotParameter, visibleSql } from '../sql/visible-in.ts'
import { eventTable } from '../tables/event-table.ts'
import { whereConditions } from './span-cells.ts'

export interface MergeOptions {
  /** In a transaction, whose snapshot is read. */
  readonly client: pg.ClientBase
  readonly project: string
  /** See `AsOfJoin`. */
  readonly visibleIn: string | null
}

/** Rows of one key and one `knownAt`, with the reading that answers them. */
interface KeySweep {
  readonly key: EntityKey
  readonly knownAt: Micros | null
  /** Of the sweep's places. */
  readonly times: readonly Micros[]
  /** Where the rows of the sweep's places stand among all. */
  readonly places: readonly number[]
  readonly sweep: Sweep
}

interface ReadSweep extends KeySweep {
  readonly swept: SweptSpans
}

/** Spans that are slid over together: most keys have few. */
const answeredSpans = 2_000

/**
 * What `asOfJoin` answers of a streaming view, one entry per row, in order: the events of each key's overlapping windows are
 * read once and aggregated here as they come, by the spans between the rows' own bounds, and the spans are slid over. Cost: one
 * index probe per sweep, and the events of the windows once each. Rows of a key need to stand side by
 * side. Rows that differ in `knownAt` see different events and share no reading: each is then what the lateral probe is.
 * Holds some thousand spans and those of one sweep, of `countDistinct` its different values, and no events.
 * Floats are added in another order than the probe adds them (design section 3.5).
 */
export async function mergedWindows(
  { client, project, visibleIn }: MergeOptions,
  view: StreamedOfflineView,
  rows: readonly EntityRow[],
): Promise<readonly AsOfEntry[]> {
  const sweeper = windowSweeper(view.aggregations)
  const answer: AsOfEntry[] = rows.map(() => null)
  if (rows.length === 0) return answer
  const sweeps = keySweeps(sweeper, rows)
  let parts: ReadSweep[] = []
  let waiting = 0
  const finish = (): void => {
    const found = sweeper.answer(parts.map((part) => ({ ...part, spans: part.swept.spans }))).values()
    for (const { sweep, places } of parts)
      for (const row of sweep.rows) {
        const swept = found.next().value ?? null
        if (swept !== null) answer[places[row] ?? 0] = { ...swept, closing: false }
      }
    parts = []
    waiting = 0
  }
  let current = 0
  let swept: SweptSpans | null = null
  try {
    const { sql, types, read } = sweptEventsSql(project, view, sweeps, visibleIn)
    await copyOutEach(client, sql, types, (row) => {
      const place = row.integer(0)
      if (swept === null || place !== current) {
        waiting += swept?.spans.length ?? 0
        if (waiting >= answeredSpans) finish()
        const sweep = sweeps[place - 1]
        if (!sweep || place < current) throw new TypeError(`sweep ${place} came behind sweep ${current}`)
        current = place
        swept = sweeper.spans(sweep.sweep)
        parts.push({ ...sweep, swept })
      }
      swept.add(read(row))
    })
    finish()
    // After the events: what was missing there had been announced before.
    const storedSince = await readStoredSince(client, project, view.events.name)
    if (storedSince !== null)
      rows.forEach(({ asOf }, place) => {
        if (storedSince > sweeper.earliestStart(asOf)) answer[place] = { storedSince }
      })
  } catch (error) {
    return storeFailed(`merging the windows of ${view.name}`)(error)
  }
  return answer
}

function keySweeps({ plan }: WindowSweeper, rows: readonly EntityRow[]): readonly KeySweep[] {
  const sweeps: KeySweep[] = []
  const add = (key: EntityKey, knownAt: Micros | null, places: readonly number[]): void => {
    const times = places.map((place) => rows[place]?.asOf ?? 0)
    for (const sweep of plan(times)) sweeps.push({ key, knownAt, times, places, sweep })
  }
  for (let start = 0; start < rows.length; ) {
    const { key = [], knownAt: first = null } = rows[start] ?? {}
    const places: number[] = []
    let others: Map<Micros | null, number[]> | null = null
    for (let row = rows[start]; row !== undefined && areEqual(row.key, key); row = rows[start]) {
      if (row.knownAt === first) places.push(start)
      else {
        others ??= new Map()
        const own = others.get(row.knownAt)
        if (own) own.push(start)
        else others.set(row.knownAt, [start])
      }
      start += 1
    }
    add(key, first, places)
    if (others !== null) for (const [knownAt, own] of others) add(key, knownAt, own)
  }
  return sweeps
}

function areEqual(left: EntityKey, right: EntityKey): boolean {
  for (let index = 0; index < left.length; index += 1) if (left[index] !== right[index]) return false
  return true
}

/** A statement for the events of sweeps, and how its binary rows are read. */
interface SweptEventsSql {
  readonly sql: Sql
  readonly types: readonly ValueType[]
  /** The event, which holds until it is called again. */
  readonly read: (row: BinaryRow) => SweptEvent
}

/** The columns of every row, and those that say where the event stood, for first and last. */
const timeTypes: readonly ValueType[] = ['int32', 'timestamp', 'timestamp']
const positionTypes: readonly ValueType[] = ['string', 'int32', 'int64']

/**
 * One row per event of a sweep, by the sweep's place from 1, then in an order of the events that is always the same: their
 * times, where they stood if that matters, their fields that are aggregated and whether the conditions of aggregations hold.
 */
export function sweptEventsSql(
  project: string,
  { events, entity, aggregations }: StreamedOfflineView,
  sweeps: readonly KeySweep[],
  visibleIn: string | null,
): SweptEventsSql {
  const values: unknown[] = []
  const visible = snapshotParameter(visibleIn, values)
  const parameter = (value: unknown, type: string): string => `$${values.push(value)}::${type}`
  const [{ knownAt = null } = {}] = sweeps
  const isKnownAtOnce = sweeps.every((one) => one.knownAt === knownAt)
  const [firsts, untils] = [sweeps.map((one) => firstOf(one)), sweeps.map((one) => untilOf(one))]
  const arrays = [
    ...entity.joinKeys.map(({ type }, index) =>
      parameter(
        sweeps.map(({ key }) => key[index]),
        `${sqlType(type)}[]`,
      ),
    ),
    parameter(firsts, 'bigint[]'),
    parameter(untils, 'bigint[]'),
    ...(isKnownAtOnce
      ? []
      : [
          parameter(
            sweeps.map((one) => (one.knownAt === null ? 'infinity' : formatTimestamp(one.knownAt))),
            'timestamptz[]',
          ),
        ]),
  ]
  const keys = entity.joinKeys.map((_, index) => `key_${index}`)
  const ofEach = isKnownAtOnce ? [] : ['known_at']
  const needsPosition = aggregations.some(({ aggregate }) => aggregate === 'first' || aggregate === 'last')
  const taken = aggregations.map(({ field, where }) => ({
    field,
    condition: whereConditions(where, values, 'x').join(' and '),
  }))
  const fields = new Map(
    taken.flatMap(({ field }) => (field === null ? [] : [[field.name, field.type] as const])),
  )
  const conditions = [...new Set(taken.flatMap(({ condition }) => (condition === '' ? [] : [condition])))]
  const outputs = [
    'x.event_timestamp',
    'x.ingested_at',
    ...(needsPosition ? ['t.topic', 'x.partition', 'x."offset"'] : []),
    ...[...fields.keys()].map((name) => `x.${quoteIdentifier(name)}`),
    ...conditions.map((condition, index) => `(${condition}) is true as condition_${index}`),
  ]
  const moment = (at: Micros): string => parameter(formatTimestamp(at), 'timestamptz')
  const filters = [
    ...entity.joinKeys.map(({ name }, place) => `x.${quoteIdentifier(name)} = g.key_${place}`),
    'x.event_timestamp >= g.first and x.event_timestamp < g.ahead',
    // Months that no sweep reads are left out of the plan.
    `x.event_timestamp >= ${moment(least(firsts))}`,
    `x.event_timestamp < ${moment(-least(untils.map((until) => -until)))} + ${furthestAhead}`,
    `${countedAt} >= g.first and ${countedAt} < g.until`,
    ...(isKnownAtOnce && knownAt === null
      ? []
      : [`x.ingested_at <= ${isKnownAtOnce && knownAt !== null ? moment(knownAt) : 'g.known_at'}`]),
    counts,
    ...visibleSql('x.ingested_xid', visible),
  ]
  const micros = (column: string): string => `timestamptz 'epoch' + g.${column} * interval '1 microsecond'`
  const columns = [...keys, 'first', 'until', ...ofEach, 'place']
  const text = [
    'select g.place, s.*',
    'from (',
    `  select ${[...keys, ...ofEach].map((name) => `g.${name}`).join(', ')}, g.place::integer,`,
    `    ${micros('first')} as first, ${micros('until')} as until, ${micros('until')} + ${furthestAhead} as ahead`,
    `  from unnest(${arrays.join(', ')}) with ordinality as g(${columns.join(', ')})`,
    // Computed once, and not for every event.
    '  offset 0',
    ') as g cross join lateral (',
    `  select ${outputs.join(', ')}`,
    `  from ${eventTable(project, events)} as x${needsPosition ? ' join featuregraph.event_topics as t on t.id = x.topic_id' : ''}`,
    `  where ${filters.join('\n    and ')}`,
    // Sums of floats depend on the order, and what is read again must be the same to the last bit. It also keeps the planner
    // from joining the other way round: sweeps come one after the other.
    '  order by x.event_timestamp, x.topic_id, x.partition, x."offset"',
    ') as s',
  ]
  const types = [...timeTypes, ...(needsPosition ? positionTypes : [])]
  const names = [...fields.keys()]
  const conditionsAt = types.length + names.length
  const members = taken.map(({ field, condition }): Member => {
    return {
      valueAt: field === null ? null : types.length + names.indexOf(field.name),
      conditionAt: condition === '' ? null : conditionsAt + conditions.indexOf(condition),
    }
  })
  return {
    sql: { text: text.join('\n'), values },
    types: [...types, ...fields.values(), ...conditions.map(() => 'bool' as const)],
    read: eventReader(members, needsPosition),
  }
}

/** The columns that an aggregation's value stands in, and whether its conditions hold; null: every event counts. */
interface Member {
  readonly valueAt: number | null
  readonly conditionAt: number | null
}

/** Into one object, since there are many events; what first and last keep of it is made anew. */
function eventReader(members: readonly Member[], needsPosition: boolean): SweptEventsSql['read'] {
  const values: (ScalarValue | null)[] = members.map(() => null)
  const event = { place: { timestamp: 0, topic: '', partition: 0, offset: 0 }, storedAt: 0, values }
  return (row) => {
    event.storedAt = momentOf(row, 2)
    const timestamp = Math.min(momentOf(row, 1), event.storedAt)
    if (needsPosition)
      event.place = {
        timestamp,
        ...{ topic: String(row.value(3)), partition: row.integer(4), offset: row.safeInteger(5) },
      }
    else event.place.timestamp = timestamp
    for (let index = 0; index < members.length; index += 1) {
      const { valueAt = null, conditionAt = null } = members[index] ?? {}
      if (conditionAt !== null && row.value(conditionAt) !== true) values[index] = null
      else values[index] = valueAt === null ? true : (row.value(valueAt) as ScalarValue | null)
    }
    return event
  }
}

function momentOf(row: BinaryRow, column: number): Micros {
  const near = row.safeInteger(column) + microsFrom1970To2000
  return Number.isNaN(near) ? Number(row.value(column)) : near
}

const firstOf = ({ sweep: { bounds } }: KeySweep): Micros => bounds[0] ?? 0
const untilOf = ({ sweep: { bounds } }: KeySweep): Micros => bounds.at(-1) ?? 0

function least(moments: readonly Micros[]): Micros {
  let found = Number.POSITIVE_INFINITY
  for (const moment of moments) if (moment < found) found = moment
  return found
}

/** The statement, for a reader. */
export function mergedWindowsStatement(
  { project, visibleIn }: Pick<MergeOptions, 'project' | 'visibleIn'>,
  view: StreamedOfflineView,
): string {
  const row = { key: view.entity.joinKeys.map(() => 0), asOf: 0, knownAt: null }
  const sweeps = keySweeps(windowSweeper(view.aggregations), [row])
  return sweptEventsSql(project, view, sweeps, visibleIn).sql.text
}
