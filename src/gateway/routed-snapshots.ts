import type { AsOfColumns, AsOfSnapshot, AsOfSnapshots, ColumnJoin } from '../stores/as-of-snapshot.ts'
import {
  type FileSnapshot,
  type FileSnapshotOptions,
  openFileSnapshot,
} from '../stores/duckdb/joins/file-snapshot.ts'
import { isParquet } from '../stores/offline-view.ts'

/** As-of joins of views in Postgres and in files: each is answered where it stands. */
export function routedSnapshots(postgres: AsOfSnapshots, options: FileSnapshotOptions): AsOfSnapshots {
  return {
    async open(request) {
      const stored = await postgres.open(request)
      try {
        return routed(stored, await openFileSnapshot(request.files, options))
      } catch (error) {
        await stored.close()
        throw error
      }
    },
  }
}

function routed(stored: AsOfSnapshot, inFiles: FileSnapshot): AsOfSnapshot {
  return {
    ...{ takenAt: stored.takenAt, visible: stored.visible, systemIdentifier: stored.systemIdentifier },
    files: inFiles.files,
    async asOfColumns(join) {
      const others = join.views.flatMap((view, place) => (isParquet(view) ? [] : [place]))
      const ofOthers: ColumnJoin = {
        ...join,
        views: join.views.filter((_, place) => others.includes(place)),
        ways: join.ways.filter((_, place) => others.includes(place)),
      }
      const [answers, ...files] = await Promise.all([
        stored.asOfColumns(ofOthers),
        ...join.views.map((view) => (isParquet(view) ? inFiles.asOfColumns(view, join.rows) : null)),
      ])
      return join.views.map((_, place): AsOfColumns => {
        const found = files[place] ?? answers[others.indexOf(place)]
        if (!found) throw new TypeError('a view was not answered')
        return found
      })
    },
    estimate: (view) => (isParquet(view) ? inFiles.estimate(view) : stored.estimate(view)),
    statement: (view, way) => (isParquet(view) ? inFiles.statement(view) : stored.statement(view, way)),
    async close() {
      await Promise.all([stored.close(), inFiles.close()])
    },
  }
}
