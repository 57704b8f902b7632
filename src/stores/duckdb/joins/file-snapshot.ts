import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { AsOfColumns } from '../../as-of-snapshot.ts'
import type { EntityRows } from '../../entity-rows.ts'
import { isObjectUrl, type LakeAccess } from '../../lake-access.ts'
import type { ParquetOfflineView } from '../../offline-view.ts'
import type { ReadFiles } from '../../read-files.ts'
import type { TableEstimate } from '../../table-estimate.ts'
import { connectDuckDb } from '../open-duckdb.ts'
import { estimateFiles, type JoinedStores, joinFileView, statementText } from './join-file-view.ts'
import { listDeltaFiles, listReadFiles, sameFiles } from './list-read-files.ts'

export interface FileSnapshotOptions extends JoinedStores {
  /** As `2GB`. */
  readonly memoryLimit: string
  readonly threads: number
  readonly lake: LakeAccess | null
}

/** As-of joins over the files of views, which are listed once each: what is written meanwhile is in none of them. */
export interface FileSnapshot {
  readonly asOfColumns: (view: ParquetOfflineView, rows: EntityRows) => Promise<AsOfColumns>
  readonly estimate: (view: ParquetOfflineView) => Promise<TableEstimate>
  readonly statement: (view: ParquetOfflineView) => string
  readonly files: () => readonly ReadFiles[]
  readonly close: () => Promise<void>
}

/** `files`: those of an earlier snapshot, which have to be the same. One join at a time. */
export async function openFileSnapshot(
  files: readonly ReadFiles[],
  { memoryLimit, threads, lake, ...stores }: FileSnapshotOptions,
): Promise<FileSnapshot> {
  const temporary = await mkdtemp(path.join(tmpdir(), 'featuregraph-join-'))
  const listed = new Map<string, Promise<ReadFiles>>()
  const known = new Map<string, ReadFiles>()
  const opened = new Map<string, Awaited<ReturnType<typeof connectDuckDb>>>()
  let turn: Promise<unknown> = Promise.resolve()

  async function connectionFor({ source }: ParquetOfflineView) {
    const isDelta = source.format === 'delta'
    const needs = `${isObjectUrl(source.path)} ${isDelta}`
    const options = { memoryLimit, threads, temporary, paths: [source.path], isDelta, ...(lake && { lake }) }
    const own = opened.get(needs) ?? (await connectDuckDb(options))
    opened.set(needs, own)
    return own.connection
  }

  /** One after the other: tables of a join have fixed names. */
  function inTurn<Result>(work: () => Promise<Result>): Promise<Result> {
    const result = turn.then(work)
    turn = result.catch(() => {})
    return result
  }

  async function list(view: ParquetOfflineView): Promise<ReadFiles> {
    const listing = view.source.format === 'delta' ? listDeltaFiles : listReadFiles
    const connection = await connectionFor(view)
    const earlier = files.find(({ of }) => of === view.id)
    const found = earlier
      ? await sameFiles(connection, earlier)
      : await listing(connection, view.id, view.source.path)
    known.set(view.id, found)
    return found
  }

  function filesOf(view: ParquetOfflineView): Promise<ReadFiles> {
    const found = listed.get(view.id) ?? list(view)
    listed.set(view.id, found)
    return found
  }

  return {
    asOfColumns: (view, rows) =>
      inTurn(
        async () =>
          await joinFileView(await connectionFor(view), view, await filesOf(view), { rows }, stores),
      ),
    estimate: (view) =>
      inTurn(async () => await estimateFiles(await connectionFor(view), await filesOf(view))),
    statement: statementText,
    files: () => [...known.values()],
    async close() {
      await turn
      for (const { close } of opened.values()) close()
      await rm(temporary, { recursive: true, force: true })
    },
  }
}
