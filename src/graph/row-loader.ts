import DataLoader from 'dataloader'
import { isParquet } from '../stores/offline-view.ts'
import { readOffline } from './read-offline.ts'
import { answerOnline } from './read-online.ts'
import type { LoadingRequest, Need, RowLoader, RowSources, Wanted } from './row-sources.ts'
import type { ViewColumn } from './view-column.ts'

/**
 * One loader per request. Every root, alias and service of a tick goes into one batch, which makes one read of the online
 * store and one join per entity type of the offline store (another for views in Parquet files, which may fail alone), whatever the shape of the query; duplicates are read
 * once. A promise per root, not per entity: that costs half the throughput at 100 entities.
 */
export function rowLoader(sources: RowSources, request: LoadingRequest): RowLoader {
  return new DataLoader((needs: readonly Need[]) => readNeeds(sources, request, needs), { cache: false })
}

/** What a loader answers for the needs of one tick. @throws TooManyBytes */
export async function readNeeds(
  sources: RowSources,
  request: LoadingRequest,
  needs: readonly Need[],
): Promise<readonly (readonly ViewColumn[])[]> {
  const online: Wanted[] = []
  const offline = new Map<string, Wanted[]>()
  const answers = needs.map((need) => {
    const columns: ViewColumn[] = []
    need.views.forEach((view, index) => {
      const fill = (column: ViewColumn): void => {
        columns[index] = column
      }
      const wanted = { need, view, fill }
      if (need.times === null && view.online) {
        online.push(wanted)
        return
      }
      const where = `${need.entity.id} ${isParquet(view)}`
      const group = offline.get(where)
      if (group) group.push(wanted)
      else offline.set(where, [wanted])
    })
    return columns
  })
  const reads: Promise<void>[] = []
  if (online.length > 0) reads.push(answerOnline(sources, request, online))
  if (offline.size > 0) {
    const signal = request.signal()
    for (const group of offline.values()) reads.push(readOffline(sources, request, signal, group))
  }
  const [only] = reads
  if (only && reads.length === 1) await only
  else await Promise.all(reads)
  return answers
}

/** For resolvers that run after all they ask for was read, so that nothing is read twice. @throws TypeError for anything else. */
export function answeredRows(
  needs: readonly Need[],
  columns: readonly (readonly ViewColumn[])[],
): Pick<RowLoader, 'load'> {
  return {
    async load(need) {
      const answered = columns[needs.findIndex((read) => isSame(read, need))]
      if (!answered) throw new TypeError('the resolvers ask for other rows than were read')
      return answered
    },
  }
}

function isSame(read: Need, need: Need): boolean {
  return (
    read.entity === need.entity &&
    read.keys.length === need.keys.length &&
    read.views.length === need.views.length &&
    read.views.every((view, index) => view === need.views[index]) &&
    JSON.stringify(rowsOf(read)) === JSON.stringify(rowsOf(need))
  )
}

function rowsOf({ keys, times }: Need): readonly unknown[] {
  return keys.map((key, index) => [key, times?.(index)])
}
