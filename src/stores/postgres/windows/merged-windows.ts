import type pg from 'pg'
import { formatTimestamp, type Micros } from '../../../definitions/timestamp.ts'
import type { EntityKey } from '../../../definitions/value.ts'
import type { ValueType } from '../../../definitions/value-type.ts'
import {
  type Sweep,
  type SweptSpan,
  type WindowSweeper,
  windowSweeper,
} from '../../../windows/sweep-windows.ts'
import type { AsOfEntry, EntityRow } from '../../as-of-reader.ts'
import type { StreamedOfflineView } from '../../offline-view.ts'
import { countedAt, counts, furthestAhead } from '../events/counted-events.ts'
import { readStoredSince } from '../events/event-retention.ts'
import { sqlType } from '../sql/column-type.ts'
import { copyOut } from '../sql/copy-out.ts'
import { quoteIdentifier } from '../sql/identifier.ts'
import { storeFailed } from '../sql/pool.ts'
import type { Sql } from '../sql/statement.ts'
import { snapshotParameter, visibleSql } from '../sql/visible-in.ts'
import { eventTable } from '../tables/event-table.ts'
import { spanCells, whereConditions } from './span-cells.ts'

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
  readonly spans: SweptSpan[]
}

/** Spans that are slid over together: most keys have few. */
const answeredSpans = 2_000

/**
 * What `asOfJoin` answers of a streaming view, one entry per row, in order: the events of each key's overlapping windows are
 * read and aggregated once, by the spans between the rows' own bounds, and the spans are slid over. Cost: one index probe per
 * sweep, the events of the windows once each, and one line of cells per span that has any. Rows of a key need to stand side by
 * side. Rows that differ in `knownAt` see different events and share no reading: each is then what the lateral probe is.
 * Holds some thousand spans and those of one sweep, of `countDistinct` its different values.
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
    const found = sweeper.answer(parts).values()
    for (const { sweep, places } of parts)
      for (const row of sweep.rows) {
        const swept = found.next().value ?? null
        if (swept !== null) answer[places[row] ?? 0] = { ...swept, closing: false }
      }
    parts = []
    waiting = 0
  }
  let current = 0
  try {
    const sql = sweptSpansSql(project, view, sweeps, visibleIn)
    for await (const batch of copyOut(client, sql, [...sweptTypes, ...sweeper.cells])) {
      for (const [place, number, newest, storedAt, ...cells] of batch) {
        if (place !== current) {
          if (waiting >= answeredSpans) finish()
          current = Number(place)
          const sweep = sweeps[current - 1]
          if (sweep) parts.push({ ...sweep, spans: [] })
        }
        waiting += 1
        parts
          .at(-1)
          ?.spans.push({ number: Number(number), newest: Number(newest), storedAt: Number(storedAt), cells })
      }
    }
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
  for (let start = 0; start < rows.length; ) {
    const { key = [] } = rows[start] ?? {}
    const byKnown = new Map<Micros | null, number[]>()
    let end = start
    for (let row = rows[end]; row !== undefined && areEqual(row.key, key); row = rows[end]) {
      const places = byKnown.get(row.knownAt)
      if (places) places.push(end)
      else byKnown.set(row.knownAt, [end])
      end += 1
    }
    for (const [knownAt, places] of byKnown) {
      const times = places.map((place) => rows[place]?.asOf ?? 0)
      for (const sweep of plan(times)) sweeps.push({ key, knownAt, times, places, sweep })
    }
    start = end
  }
  return sweeps
}

function areEqual(left: EntityKey, right: EntityKey): boolean {
  for (let index = 0; index < left.length; index += 1) if (left[index] !== right[index]) return false
  return true
}

const sweptTypes: readonly ValueType[] = ['int64', 'int32', 'timestamp', 'timestamp']

/**
 * One row per sweep (by its place from 1) and span that has an event, in their order: the span's number, the newest time that
 * one of its events counts at, the latest that one was stored at, and the cells of each aggregation.
 */
export function sweptSpansSql(
  project: string,
  { events, entity, aggregations }: StreamedOfflineView,
  sweeps: readonly KeySweep[],
  visibleIn: string | null,
): Sql {
  const values: unknown[] = []
  const visible = snapshotParameter(visibleIn, values)
  const parameter = (value: unknown, type: string): string => `$${values.push(value)}::${type}`
  const [{ knownAt = null } = {}] = sweeps
  const isKnownAtOnce = sweeps.every((one) => one.knownAt === knownAt)
  const known = (at: Micros | null): string => (at === null ? 'infinity' : formatTimestamp(at))
  const arrays = [
    ...entity.joinKeys.map(({ type }, index) =>
      parameter(
        sweeps.map(({ key }) => key[index]),
        `${sqlType(type)}[]`,
      ),
    ),
    parameter(
      sweeps.map(({ sweep }) => `{${sweep.bounds.map(formatTimestamp).join(',')}}`),
      'text[]',
    ),
    ...(isKnownAtOnce
      ? []
      : [
          parameter(
            sweeps.map((one) => known(one.knownAt)),
            'timestamptz[]',
          ),
        ]),
  ]
  const keys = entity.joinKeys.map((_, index) => `key_${index}`)
  const needsPlace = aggregations.some(({ aggregate }) => aggregate === 'first' || aggregate === 'last')
  const read = new Set(
    aggregations.flatMap(({ field, where }) => [
      ...(field === null ? [] : [field.name]),
      ...where.map((one) => one.field.name),
    ]),
  )
  const outputs = [
    `width_bucket(${countedAt}, g.bounds) - 1 as span`,
    `${countedAt} as event_timestamp`,
    'x.ingested_at',
    ...(needsPlace ? ['t.topic', 'x.partition', 'x."offset"'] : []),
    ...[...read].map((name) => `x.${quoteIdentifier(name)}`),
  ]
  let [least, most] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]
  for (const { bounds } of sweeps.map(({ sweep }) => sweep)) {
    least = Math.min(least, bounds[0] ?? least)
    most = Math.max(most, bounds.at(-1) ?? most)
  }
  const conditions = [
    ...entity.joinKeys.map(({ name }, place) => `x.${quoteIdentifier(name)} = g.key_${place}`),
    `x.event_timestamp >= g.first and x.event_timestamp < g.until + ${furthestAhead}`,
    // Months that no sweep reads are left out of the plan.
    `x.event_timestamp >= ${parameter(formatTimestamp(least), 'timestamptz')}`,
    `x.event_timestamp < ${parameter(formatTimestamp(most), 'timestamptz')} + ${furthestAhead}`,
    `${countedAt} >= g.first and ${countedAt} < g.until`,
    ...(isKnownAtOnce && knownAt === null
      ? []
      : [`x.ingested_at <= ${isKnownAtOnce ? parameter(known(knownAt), 'timestamptz') : 'g.known_at'}`]),
    counts,
    ...visibleSql('x.ingested_xid', visible),
  ]
  const cells = aggregations.flatMap((aggregation) =>
    spanCells(aggregation, {
      conditions: whereConditions(aggregation.where, values),
      order: ['event_timestamp', 'topic', 'partition', '"offset"'],
      isSingle: false,
    }),
  )
  const topics = needsPlace ? ' join featuregraph.event_topics as t on t.id = x.topic_id' : ''
  const ofEach = isKnownAtOnce ? [] : ['known_at']
  const columns = [...keys, 'bounds', ...ofEach, 'place']
  const names = [...keys, ...ofEach, 'place']
  const text = [
    // Materialized, so that the bounds are not parsed for every event.
    'with g as materialized (',
    `  select ${names.join(', ')}, bounds, bounds[1] as first, bounds[array_length(bounds, 1)] as until`,
    '  from (',
    `    select ${names.join(', ')}, bounds::timestamptz[] as bounds`,
    `    from unnest(${arrays.join(', ')}) with ordinality as g(${columns.join(', ')})`,
    '    offset 0',
    '  ) as g',
    ')',
    'select g.place, s.*',
    'from g cross join lateral (',
    `  select ${['e.span', 'max(e.event_timestamp)', 'max(e.ingested_at)', ...cells].join(',\n    ')}`,
    '  from (',
    `    select ${outputs.join(', ')}`,
    `    from ${eventTable(project, events)} as x${topics}`,
    `    where ${conditions.join('\n      and ')}`,
    // As in the probe: the same sums of floats once more, to the last bit.
    ...(visible === null ? [] : ['    order by 1, x.event_timestamp, x.topic_id, x.partition, x."offset"']),
    '  ) as e',
    '  group by e.span',
    ') as s',
    'order by 1, 2',
  ]
  return { text: text.join('\n'), values }
}

/** The statement, for a reader. */
export function mergedWindowsStatement(
  { project, visibleIn }: Pick<MergeOptions, 'project' | 'visibleIn'>,
  view: StreamedOfflineView,
): string {
  const row = { key: view.entity.joinKeys.map(() => 0), asOf: 0, knownAt: null }
  const sweeps = keySweeps(windowSweeper(view.aggregations), [row])
  return sweptSpansSql(project, view, sweeps, visibleIn).text
}
