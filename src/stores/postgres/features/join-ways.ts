import type pg from 'pg'
import type { ColumnJoin } from '../../as-of-snapshot.ts'
import { type EntityRows, entityRows } from '../../entity-rows.ts'
import type { OfflineView, StoredOfflineView, StreamedOfflineView } from '../../offline-view.ts'
import { copyOutEach } from '../sql/binary-row.ts'
import { mergedWindows } from '../windows/merged-windows.ts'
import { asOfJoinSql } from './as-of-join.ts'
import { entityTable, fillEntityTable } from './entity-table.ts'
import { type GrowingColumns, putEntries } from './growing-columns.ts'
import { readAnswer } from './offline-store.ts'
import { storedColumnsSql, storedRowWriter } from './stored-columns.ts'
import { type ScatteredView, streamedScatter } from './streamed-scatter.ts'

/** Where a table cannot be made: what one statement takes as arrays. */
const largestArrays = 20_000
/** Some of a join's rows, by their places; `to` is behind the last. */
export interface Part {
  readonly from: number
  readonly to: number
}

/** What one statement takes of the rows from `start` on. */
const upTo = (start: number, to: number): Part => ({ from: start, to: Math.min(to, start + largestArrays) })

export interface WayOptions {
  readonly project: string
  /** See `AsOfJoin`. */
  readonly visibleIn: string | null
  /** What the snapshot itself sees. */
  readonly visible: string
  readonly countNonFinite: (view: string) => void
}

/** The ways that views are answered on a connection of a snapshot; what they find is put into the targets. */
export function joinWays({ project, visibleIn, visible, countNonFinite }: WayOptions) {
  async function byArrays(
    client: pg.ClientBase,
    { views, rows }: Pick<ColumnJoin, 'views' | 'rows'>,
    { from, to }: Part,
    targets: readonly GrowingColumns[],
  ): Promise<void> {
    // Bound to its own snapshot it reads events in their order: the same sums of floats once more, to the last bit.
    const bound = views.every(isStored) ? visibleIn : visible
    for (let start = from; start < to; start += largestArrays) {
      const join = { views, rows: entityRows(rows, upTo(start, to)), visibleIn: bound }
      const sql = asOfJoinSql(project, join)
      const query = { text: sql.text, values: [...sql.values], rowMode: 'array' as const }
      const result = await client.query<unknown[]>(query)
      readAnswer(join, result.rows, countNonFinite).forEach((entries, index) => {
        const target = targets[index]
        if (target) putEntries(target, start, entries)
      })
    }
  }

  async function byTable(
    client: pg.ClientBase,
    { views, rows }: { readonly views: readonly StoredOfflineView[]; readonly rows: EntityRows },
    part: Part,
    targets: readonly GrowingColumns[],
  ): Promise<void> {
    await fillEntityTable(client, views[0]?.entity.joinKeys ?? [], rows, part)
    const { sql, types } = storedColumnsSql(project, { views, from: entityTable, visibleIn })
    await copyOutEach(client, sql, types, storedRowWriter(views, targets, countNonFinite))
  }

  async function byMerge(
    client: pg.ClientBase,
    view: StreamedOfflineView,
    rows: EntityRows,
    { from, to }: Part,
    target: GrowingColumns | undefined,
  ): Promise<void> {
    for (let start = from; start < to; start += largestArrays) {
      const some = entityRows(rows, upTo(start, to))
      const entries = await mergedWindows({ client, project, visibleIn: visible }, view, some)
      if (target) putEntries(target, start, entries)
    }
  }

  async function byScatter(
    client: pg.ClientBase,
    view: ScatteredView,
    rows: EntityRows,
    target: GrowingColumns | undefined,
  ): Promise<void> {
    const all = entityRows(rows, { from: 0, to: rows.length })
    const entries = await streamedScatter({ client, project, visibleIn, countNonFinite }, view, all)
    if (target) putEntries(target, 0, entries)
  }

  return { byArrays, byTable, byMerge, byScatter }
}

export function isStreamed(view: OfflineView): view is StreamedOfflineView {
  return view.kind === 'STREAM'
}

export function isPlain(view: OfflineView): view is ScatteredView {
  return view.kind === 'PLAIN'
}

export function isStored(view: OfflineView): view is StoredOfflineView {
  return view.kind !== 'STREAM'
}
