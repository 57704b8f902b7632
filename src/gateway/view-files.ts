import path from 'node:path'
import type pg from 'pg'
import type { ParquetSource } from '../definitions/parquet-source.ts'
import { type ExportStores, exportSubject } from '../ingest/export/export-subject.ts'
import { readManifest } from '../ingest/export/manifest.ts'
import type { FeatureView } from '../registry/registry.ts'
import { listReadFiles, sameFiles } from '../stores/duckdb/joins/list-read-files.ts'
import { connectDuckDb } from '../stores/duckdb/open-duckdb.ts'
import type { NotKnown } from '../stores/file-join.ts'
import type { LakeAccess } from '../stores/lake-access.ts'
import { isParquet } from '../stores/offline-view.ts'
import { batchHistory } from '../stores/postgres/windows/batch-history.ts'
import type { ReadFiles } from '../stores/read-files.ts'
import type { ExportSubject } from '../stores/rows-to-export.ts'
import type { ViewFiles, ViewInFiles } from '../stores/view-files.ts'

interface ViewFilesOptions {
  readonly project: string
  readonly pool: pg.Pool
  readonly lake: LakeAccess | null
  readonly exports: ExportStores
  /** Exports stand in folders below it, which later training sets go on with; null: nothing is exported. */
  readonly folder: string | null
}

/** Views with files of their own, and those of Postgres by what is exported of them. */
export function viewFiles(options: ViewFilesOptions): ViewFiles<FeatureView> {
  const { project, pool, lake, folder, exports } = options

  /** Of an event source or a view, below the folder. */
  const exportedPlace = (id: string): string => path.join(folder ?? '', project, 'exports', id)

  async function listed(of: string, place: string, earlier: ReadFiles | undefined): Promise<ReadFiles> {
    const { connection, close } = await connectDuckDb({ paths: [place], ...(lake && { lake }) })
    try {
      return earlier ? await sameFiles(connection, earlier) : await listReadFiles(connection, of, place)
    } finally {
      close()
    }
  }

  async function exportedFiles(view: FeatureView, bound: readonly ReadFiles[]): Promise<ReadFiles> {
    const subject = subjectOf(view)
    const id = exportedId(view)
    const earlier = bound.find(({ of }) => of === id)
    const place = exportedPlace(id)
    if (earlier === undefined)
      await exportSubject(exports, {
        ...{ project, subject, path: place, rebuild: false, from: undefined, to: undefined },
        definition: view.kind === 'BATCH' ? view.definition : null,
        ...{ onWait: () => {}, onProgress: () => {} },
      })
    return await listed(id, place, earlier)
  }

  async function notKnown(view: FeatureView): Promise<NotKnown> {
    if (view.kind === 'STREAM') {
      const since = (await exports.changes.storedSince([view.events.name])).get(view.events.name)
      return since === undefined ? { kind: 'NONE' } : { kind: 'HISTORY', storedSince: since }
    }
    if (view.kind !== 'BATCH') return { kind: 'NONE' }
    const { firstSnapshot, eventsSince } = await batchHistory(pool, project, view)
    return eventsSince === null ? { kind: 'NONE' } : { kind: 'NEVER_FILLED', firstSnapshot, eventsSince }
  }

  const inExport = async (view: FeatureView, files: ReadFiles): Promise<ViewInFiles> => ({
    files,
    source: view.kind === 'STREAM' ? null : exportedSource(view.name, files.path),
    notKnown: await notKnown(view),
  })

  return {
    async unfitFor(view) {
      if (view.kind === 'PLAIN' && view.source?.kind === 'parquet' && view.source.format === 'delta')
        return 'is a Delta table, whose files its own log names'
      if (view.kind !== 'BATCH') return null
      const { isOfOneDefinition } = await batchHistory(pool, project, view)
      return isOfOneDefinition
        ? null
        : 'has snapshots of several definitions, and which of them answers is known to Postgres'
    },
    async toExport(view, rows) {
      if (isParquet(view)) return 0
      if (view.source !== null) return rows
      const id = exportedId(view)
      const manifest = await readManifest(exports.openFolder(exportedPlace(id))).catch(() => null)
      const there = manifest?.parts.reduce((sum, part) => sum + part.rows, 0) ?? 0
      return Math.max(0, rows - there)
    },
    async filesThere(view) {
      if (isParquet(view)) return ownFiles(view, await listed(view.id, view.source.path, undefined))
      const id = exportedId(view)
      const place = exportedPlace(id)
      const isThere = await readManifest(exports.openFolder(place)).catch(() => null)
      return await inExport(
        view,
        isThere ? await listed(id, place, undefined) : { of: id, path: place, files: [] },
      )
    },
    async filesOf(view, { files }) {
      if (isParquet(view)) {
        const earlier = files.find(({ of }) => of === view.id)
        return ownFiles(view, await listed(view.id, view.source.path, earlier))
      }
      return await inExport(view, await exportedFiles(view, files))
    },
  }
}

function subjectOf(view: FeatureView): ExportSubject {
  return view.kind === 'STREAM' ? { kind: 'EVENTS', source: view.events } : { kind: 'ROWS', view }
}

/** What is exported of it, by the name of its folder. */
function exportedId(view: FeatureView): string {
  return view.kind === 'STREAM' ? view.events.name : view.id
}

function ownFiles({ source }: { readonly source: ParquetSource }, files: ReadFiles): ViewInFiles {
  return { files, source, notKnown: { kind: 'NONE' } }
}

/** As `featuregraph export` writes feature rows. */
function exportedSource(name: string, place: string): ParquetSource {
  return {
    ...{ kind: 'parquet', format: 'parquet', name, path: place },
    ...{ eventTimestamp: 'event_timestamp', createdTimestamp: 'created_timestamp', rowId: 'row_id' },
    ...{ closing: 'closing', columns: {}, empty: {}, partitions: { day: 'day' } },
  }
}
