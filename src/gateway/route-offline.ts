import { type Problem, TablesDiffer } from '../errors.ts'
import type { AsOfEntry } from '../stores/as-of-reader.ts'
import { type DeletionStore, sameKey } from '../stores/deletion-store.ts'
import type { ExampleKeys } from '../stores/example-keys.ts'
import type { OfflineStore } from '../stores/offline-store.ts'
import { isParquet } from '../stores/offline-view.ts'
import type { ParquetRows } from '../stores/parquet-rows.ts'
import type { TableChanges } from '../stores/table-changes.ts'

/**
 * The offline store of views whose rows stand in the database and of those whose rows stand in Parquet files: each method goes to where
 * the view's rows are. Views of both in one as-of join are read at once; when one backend fails, the join does. A check of what is
 * there does not wait for files that cannot be read now: `warn` is called with why.
 */
export function routedOfflineStore(
  database: OfflineStore,
  parquet: ParquetRows,
  warn: (line: string) => void,
): OfflineStore {
  return {
    ...database,
    async asOfJoin(join, signal) {
      const answers = new Array<readonly AsOfEntry[]>(join.views.length).fill([])
      const part = async (isLake: boolean): Promise<void> => {
        const places = join.views.flatMap((view, place) => (isParquet(view) === isLake ? [place] : []))
        const views = places.flatMap((place) => join.views[place] ?? [])
        if (views.length === 0) return
        const found = await (isLake ? parquet : database).asOfJoin({ ...join, views }, signal)
        places.forEach((place, index) => {
          answers[place] = found[index] ?? []
        })
      }
      await Promise.all([part(false), part(true)])
      return answers
    },
    storedRows: (request, signal) =>
      (isParquet(request.view) ? parquet : database).storedRows(request, signal),
    newestRows: (request, receive) =>
      (isParquet(request.view) ? parquet : database).newestRows(request, receive),
    materializeLag: (view, now, since) =>
      (isParquet(view) ? parquet : database).materializeLag(view, now, since),
    isLargerThan: (view, rows) => (isParquet(view) ? parquet : database).isLargerThan(view, rows),
    newestOfSample: (view, now, keys) =>
      (isParquet(view) ? parquet : database).newestOfSample(view, now, keys),
    newestKeys: (view, now, limit) => (isParquet(view) ? parquet : database).newestKeys(view, now, limit),
    async ensureTables(views, sources, mode) {
      const own = views.filter((view) => !isParquet(view))
      const found = await parquet.checkViews(views.filter(isParquet))
      const standing = found.filter(({ isLasting }) => isLasting || mode !== 'CHECK')
      for (const problem of found)
        if (!standing.includes(problem)) warn(`${problem.path}: ${problem.message}`)
      return await withProblems(standing, () => database.ensureTables(own, sources, mode))
    },
    async close() {
      await parquet.close()
      await database.close()
    },
  }
}

/** An apply checks files as it checks mapped tables; it changes none. */
export function routedTableChanges(
  database: TableChanges,
  parquet: Pick<ParquetRows, 'checkViews'>,
): TableChanges {
  return {
    ...database,
    async missing(views, sources) {
      const own = views.filter((view) => !isParquet(view))
      const found = await parquet.checkViews(views.filter(isParquet))
      return await withProblems(found, () => database.missing(own, sources))
    },
  }
}

/** All differences in one error. */
async function withProblems<T>(found: readonly Problem[], ensure: () => Promise<T>): Promise<T> {
  if (found.length === 0) return await ensure()
  const more = await ensure().then(
    () => [],
    (error: unknown) => {
      if (error instanceof TablesDiffer) return error.problems
      throw error
    },
  )
  throw new TablesDiffer([...found, ...more])
}

/** As `routedOfflineStore`. */
export function routedExampleKeys(database: ExampleKeys, parquet: ParquetRows): ExampleKeys {
  return {
    exampleKeys: (view, now, count) => (isParquet(view) ? parquet : database).exampleKeys(view, now, count),
  }
}

/** Of wider views in Parquet files the keys are found there; all else is in the database. */
export function routedDeletionStore(database: DeletionStore, parquet: ParquetRows): DeletionStore {
  return {
    ...database,
    async onlineKeys(deletion) {
      const wider = deletion.views
        .filter(isParquet)
        .filter((view) => view.online && sameKey(deletion, view) === null)
      const found = await Promise.all(
        wider.map(async (view) =>
          (await parquet.keysOf(view, deletion)).map((key) => ({ view: view.id, key })),
        ),
      )
      return [...(await database.onlineKeys(deletion)), ...found.flat()]
    },
  }
}
