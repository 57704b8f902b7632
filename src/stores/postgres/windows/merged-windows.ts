import type pg from 'pg'
import { formatTimestamp, type Micros } from '../../../definitions/timestamp.ts'
import type { ScalarValue } from '../../../definitions/value.ts'
import type { ValueType } from '../../../definitions/value-type.ts'
import {
  type Sweep,
  type SweptEvent,
  type SweptSpans,
  type WindowSweeper,
  windowSweeper,
} from '../../../windows/sweep-windows.ts'
import type { AsOfEntry } from '../../as-of-reader.ts'
import type { EntityRows, Part } from '../../entity-rows.ts'
import type { StreamedOfflineView } from '../../offline-view.ts'
import { allowedAheadMicros, countedAt, counts, furthestAhead } from '../events/counted-events.ts'
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

/** Spans that are slid over together: most keys have few. */
const answeredSpans = 2_000

/** Called with what a row's windows hold, with nothing where they hold no event, and once more where they are not stored any more. */
type ReceiveEntry = (place: number, entry: AsOfEntry) => void

/**
 * What `asOfJoin` answers of a streaming view for some of the rows, in no order: the events of each key's overlapping windows
 * are read once and aggregated here as they come, by the spans between the rows' own bounds, and the spans are slid over. Cost:
 * a statement for each month that has many of the sweeps, one index probe per sweep, and the events of the windows once each.
 * Rows of a key need to stand side by side. Rows that differ in `knownAt` see different events and share no reading: each is
 * then what the lateral probe is.
 * Holds some thousand spans and those of one sweep, of `countDistinct` its different values, and no events.
 * Floats are added in another order than the probe adds them (design section 3.5).
 */
export async function mergedWindows(
  { client, project, visibleIn }: MergeOptions,
  view: StreamedOfflineView,
  rows: EntityRows,
  part: Part,
  receive: ReceiveEntry,
): Promise<void> {
  const sweeper = windowSweeper(view.aggregations)
  try {
    for (const sweeps of byMonths(keySweeps(sweeper, rows, part))) {
      const { sql, types, read } = sweptEventsSql(project, view, { rows, sweeps }, visibleIn)
      const answering = answeringSweeps(sweeper, rows, sweeps, receive)
      await copyOutEach(client, sql, types, (row) => answering.add(row.integer(0), read(row)))
      answering.end()
    }
    // After the events: what was missing there had been announced before.
    const storedSince = await readStoredSince(client, project, view.events.name)
    if (storedSince === null) return
    for (let place = part.from; place < part.to; place += 1)
      if (storedSince > sweeper.earliestStart(rows.asOf[place] ?? 0)) receive(place, { storedSince })
  } catch (error) {
    return storeFailed(`merging the windows of ${view.name}`)(error)
  }
}

/** Events come sweep by sweep, by its number from 1. */
function answeringSweeps(
  sweeper: WindowSweeper,
  { asOf }: EntityRows,
  sweeps: readonly Sweep[],
  receive: ReceiveEntry,
) {
  let parts: SweptSpans[] = []
  let places: number[] = []
  let waiting = 0
  let current = 0
  let swept: SweptSpans | null = null
  const end = (): void => {
    sweeper.answer(parts).forEach((found, index) => {
      if (found !== null) receive(places[index] ?? 0, { ...found, closing: false })
    })
    parts = []
    places = []
    waiting = 0
  }
  return {
    add(number: number, event: SweptEvent): void {
      if (swept === null || number !== current) {
        waiting += swept?.spans.length ?? 0
        if (waiting >= answeredSpans) end()
        const sweep = sweeps[number - 1]
        if (!sweep || number < current) throw new TypeError(`sweep ${number} came behind sweep ${current}`)
        current = number
        swept = sweeper.spans(sweep.rows.map((place) => asOf[place] ?? 0))
        parts.push(swept)
        places.push(...sweep.rows)
      }
      sweeper.add(swept, event)
    },
    end,
  }
}

/** Of rows of one key and one `knownAt` each. */
function keySweeps(
  { plan }: WindowSweeper,
  { keys, asOf, knownAt }: EntityRows,
  { from, to }: Part,
): readonly Sweep[] {
  const sweeps: Sweep[] = []
  const isOfKey = (place: number, first: number): boolean =>
    keys.every((column) => column[place] === column[first])
  for (let start = from; start < to; ) {
    const first = start
    const known = knownAt(first)
    const places: number[] = []
    let others: Map<Micros | null, number[]> | null = null
    for (; start < to && isOfKey(start, first); start += 1) {
      const own = knownAt(start)
      if (own === known) places.push(start)
      else {
        others ??= new Map()
        const there = others.get(own)
        if (there) there.push(start)
        else others.set(own, [start])
      }
    }
    sweeps.push(...plan(asOf, places))
    if (others !== null) for (const some of others.values()) sweeps.push(...plan(asOf, some))
  }
  return sweeps
}

/** Fewer are not worth a statement of their own. */
const leastOfMonth = 500

/**
 * The sweeps whose events stand in one month, for each month that has many, and the others: a statement over one month reads no
 * other, where one over many finds the month of every sweep anew, and walks through all of them.
 */
function byMonths(sweeps: readonly Sweep[]): readonly (readonly Sweep[])[] {
  const months = new Map<number, Sweep[]>()
  const others: Sweep[] = []
  for (const sweep of sweeps) {
    const month = monthOf(sweep.first)
    const own = months.get(month)
    if (monthOf(sweep.until + allowedAheadMicros) !== month) others.push(sweep)
    else if (own) own.push(sweep)
    else months.set(month, [sweep])
  }
  const large = [...months.values()].filter(({ length }) => length >= leastOfMonth)
  const small = [...months.values()].filter(({ length }) => length < leastOfMonth)
  return [...large, [...small.flat(), ...others]].filter(({ length }) => length > 0)
}

/** As events are partitioned. */
function monthOf(micros: Micros): number {
  const date = new Date(micros / 1_000)
  return date.getUTCFullYear() * 12 + date.getUTCMonth()
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
  { rows, sweeps }: { readonly rows: EntityRows; readonly sweeps: readonly Sweep[] },
  visibleIn: string | null,
): SweptEventsSql {
  const values: unknown[] = []
  const visible = snapshotParameter(visibleIn, values)
  const parameter = (value: unknown, type: string): string => `$${values.push(value)}::${type}`
  const places = sweeps.map((sweep) => sweep.rows[0] ?? 0)
  const knownAt = rows.knownAt(places[0] ?? 0)
  const isKnownAtOnce = places.every((place) => rows.knownAt(place) === knownAt)
  const known = (at: Micros | null): string => (at === null ? 'infinity' : formatTimestamp(at))
  const [firsts, untils] = [sweeps.map(({ first }) => first), sweeps.map(({ until }) => until)]
  const arrays = [
    ...entity.joinKeys.map(({ type }, index) =>
      parameter(
        places.map((place) => rows.keys[index]?.[place]),
        `${sqlType(type)}[]`,
      ),
    ),
    parameter(firsts, 'bigint[]'),
    parameter(untils, 'bigint[]'),
    ...(isKnownAtOnce
      ? []
      : [
          parameter(
            places.map((place) => known(rows.knownAt(place))),
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
    // Months that no sweep reads are left out of the plan, which takes moments as they stand.
    `x.event_timestamp >= ${moment(least(firsts))}`,
    `x.event_timestamp < ${moment(-least(untils.map((until) => -until)) + allowedAheadMicros)}`,
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
      field: field === null ? null : names.indexOf(field.name),
      conditionAt: condition === '' ? null : conditionsAt + conditions.indexOf(condition),
    }
  })
  const readers = [...fields.values()].map((type, index) => fieldReader(type, types.length + index))
  return {
    sql: { text: text.join('\n'), values },
    types: [...types, ...fields.values(), ...conditions.map(() => 'bool' as const)],
    read: eventReader(readers, members, needsPosition),
  }
}

interface Member {
  /** Which of the fields it aggregates; null: it counts events. */
  readonly field: number | null
  /** The column that says whether its conditions hold; null: it has none. */
  readonly conditionAt: number | null
}

type ReadField = (row: BinaryRow) => ScalarValue | null

function fieldReader(type: ValueType, at: number): ReadField {
  if (type === 'float64') return (row) => (row.isNull(at) ? null : row.float64(at))
  return (row) => row.value(at) as ScalarValue | null
}

/** Into one object, since there are many events; what first and last keep of it is a new object. */
function eventReader(
  readers: readonly ReadField[],
  members: readonly Member[],
  needsPosition: boolean,
): SweptEventsSql['read'] {
  const fields: (ScalarValue | null)[] = readers.map(() => null)
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
    for (let index = 0; index < readers.length; index += 1) fields[index] = readers[index]?.(row) ?? null
    for (let index = 0; index < members.length; index += 1) {
      const { field = null, conditionAt = null } = members[index] ?? {}
      if (conditionAt !== null && row.value(conditionAt) !== true) values[index] = null
      else values[index] = field === null ? true : (fields[field] ?? null)
    }
    return event
  }
}

function momentOf(row: BinaryRow, column: number): Micros {
  const near = row.safeInteger(column) + microsFrom1970To2000
  return Number.isNaN(near) ? Number(row.value(column)) : near
}

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
  const keys = view.entity.joinKeys.map(() => [0])
  const rows = { length: 1, keys, asOf: Float64Array.of(0), knownAt: () => null }
  const sweeps = keySweeps(windowSweeper(view.aggregations), rows, { from: 0, to: 1 })
  return sweptEventsSql(project, view, { rows, sweeps }, visibleIn).sql.text
}
