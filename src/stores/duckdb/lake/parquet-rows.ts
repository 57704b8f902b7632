import type { AsOfRow, EntityRow } from '../../as-of-reader.ts'
import type { FeatureRows } from '../../feature-rows.ts'
import { isParquet, type OfflineView, type ParquetOfflineView } from '../../offline-view.ts'
import type { ParquetRows } from '../../parquet-rows.ts'
import type { FoundRows, StoredRowsRequest } from '../../stored-rows.ts'
import { asOfJoinSql, readAsOfRows } from './as-of-join.ts'
import { checkFiles } from './check-files.ts'
import { fileColumnsReader } from './file-columns.ts'
import { exampleKeys, keysOfEntity, newestKeys } from './found-keys.ts'
import { fingerprint } from './lake-files.ts'
import { type LakeInstanceOptions, lakeInstance } from './lake-instance.ts'
import { rowsOf } from './lake-sql.ts'
import { estimateFiles, isLargerThan, readLag } from './measure-files.ts'
import { collectNewestRows, handOverNewestRows, lakeIdentifier } from './newest-rows.ts'
import { type LakeReader, openReading, readFiles } from './read-files.ts'
import { readStoredRows, spanOf, storedRowsSql } from './stored-rows.ts'

export interface ParquetRowsOptions extends LakeInstanceOptions {
  /** Where deletions are recorded, and the clock by which rows are known. */
  readonly database: Pick<FeatureRows, 'deletedRows' | 'now'>
  /** Of an as-of join and of a page of stored rows. */
  readonly timeoutMs: number
  /** Called for every NaN and ±Infinity that a file held; it is answered as null. */
  readonly countNonFinite: (view: string) => void
}

/** See `ParquetRows`. DuckDB runs on threads of its own in this process, opened with the first reading. */
export function duckDbParquetRows(options: ParquetRowsOptions): ParquetRows {
  const { database, countNonFinite } = options
  const { instanceFor, close } = lakeInstance(options)
  const reader: LakeReader = { instanceFor, columns: fileColumnsReader() }
  const counter = (view: ParquetOfflineView) => () => countNonFinite(view.name)
  const timeout = (signal: AbortSignal): AbortSignal =>
    AbortSignal.any([signal, AbortSignal.timeout(options.timeoutMs)])

  async function asOfRows(
    view: ParquetOfflineView,
    rows: readonly EntityRow[],
    signal: AbortSignal,
  ): Promise<readonly (AsOfRow | null)[]> {
    const latest = rows.reduce((most, { asOf }) => Math.max(most, asOf), Number.NEGATIVE_INFINITY)
    const found = await readFiles(reader, view, {
      ...{ doing: 'the as-of join', signal: timeout(signal) },
      read: async (connection, fileset) => {
        const which = fileset.within({ from: null, to: latest + 1 })
        return await rowsOf(connection, asOfJoinSql(view, await fileset.rowsSql(which), rows))
      },
    })
    const answer = readAsOfRows(view, rows.length, found, counter(view))
    const deleted = await database.deletedRows(
      view,
      answer.flatMap((row, index) =>
        row === null ? [] : [{ key: rows[index]?.key ?? [], eventTimestamp: row.eventTimestamp }],
      ),
    )
    const flags = deleted.values()
    return answer.map((row) => (row === null || flags.next().value === true ? null : row))
  }

  async function storedRows(
    view: ParquetOfflineView,
    { ranges, first }: StoredRowsRequest,
    signal: AbortSignal,
  ): Promise<readonly FoundRows[]> {
    const now = await database.now()
    const found = await readFiles(reader, view, {
      ...{ doing: 'reading stored rows', signal: timeout(signal) },
      read: async (connection, fileset) => {
        const rowsSql = await fileset.rowsSql(fileset.within(spanOf(ranges)))
        return await rowsOf(connection, storedRowsSql(view, rowsSql, ranges, { first, now }))
      },
    })
    const pages = readStoredRows(view, ranges.length, found, counter(view))
    const deleted = await database.deletedRows(
      view,
      pages.flatMap((rows, index) =>
        rows.map(({ eventTimestamp }) => ({ key: ranges[index]?.key ?? [], eventTimestamp })),
      ),
    )
    const flags = deleted.values()
    return pages.map((rows, index) => ({
      knownAt: ranges[index]?.knownAt ?? now,
      rows: rows.filter(() => flags.next().value !== true),
    }))
  }

  return {
    async asOfJoin({ views, rows }, signal) {
      if (rows.length === 0) return views.map(() => [])
      return await Promise.all(views.map((view) => asOfRows(parquetView(view), rows, signal)))
    },
    storedRows: async (request, signal) =>
      request.ranges.length === 0 ? [] : await storedRows(parquetView(request.view), request, signal),
    async newestRows(request, receive) {
      const view = parquetView(request.view)
      const { value, connection, files } = await openReading(reader, view, {
        ...{ doing: 'reading the newest rows', signal: null },
        read: (own, fileset) => collectNewestRows(own, fileset, { ...request, view }),
      })
      try {
        await handOverNewestRows(connection, view, counter(view), receive)
      } finally {
        connection.disconnectSync()
      }
      return {
        ...{ snapshotXmin: '0', systemIdentifier: lakeIdentifier, isCurrent: true, scope: value },
        files: view.source.format === 'delta' ? null : files.map(fingerprint),
      }
    },
    materializeLag: (view, now, since) => readLag(reader, parquetView(view), now, since),
    isLargerThan: (view, rows) => isLargerThan(reader, parquetView(view), rows),
    newestOfSample: async () => [],
    newestKeys: (view, now, limit) => newestKeys(reader, parquetView(view), now, limit),
    exampleKeys: (view, now, count) => exampleKeys(reader, parquetView(view), now, count),
    checkViews: (views) => checkFiles(reader, views),
    estimate: (view) => estimateFiles(reader, view),
    keysOf: (view, deletion) => keysOfEntity(reader, view, deletion),
    close,
  }
}

function parquetView(view: OfflineView): ParquetOfflineView {
  if (isParquet(view)) return view
  throw new TypeError(`feature view ${view.name} does not stand in Parquet files`)
}
