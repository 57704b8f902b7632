import type pg from 'pg'
import type { ColumnJoin } from '../../as-of-snapshot.ts'
import { type EntityRows, entityRows, type Part } from '../../entity-rows.ts'
import type { OfflineView, StoredOfflineView, StreamedOfflineView } from '../../offline-view.ts'
import { copyOutEach } from '../sql/binary-row.ts'
import { mergedWindows } from '../windows/merged-windows.ts'
import { asOfJoinSql } from './as-of-join.ts'
import { entityTable, fillEntityTable } from './entity-table.ts'
import { type GrowingColumns, putEntries, putEntry } from './growing-columns.ts'
import { readAnswer } from './offline-store.ts'
import { storedColumnsSql, storedRowWriter } from './stored-columns.ts'
import { type ScatteredView, streamedScatter } from './streamed-scatter.ts'

/** Where a table cannot be made: what one statement takes as arrays. */
const largestArrays = 20_000
/** Windows that are merged together: what a month has of them is read by one statement. */
const mergedRows = 50_000

/** What one statement takes of the rows from `start` on. */
const upTo = (start: number, to: number, rows = largestArrays): Part => ({
  from: start,
  to: Math.min(to, start + rows),
})

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
    if (!target) return
    const options = { client, project, visibleIn: visible }
    for (let start = from; start < to; start += mergedRows)
      await mergedWindows(options, view, rows, upTo(start, to, mergedRows), (place, entry) =>
        putEntry(target, place, entry),
      )
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
