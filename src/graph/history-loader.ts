import DataLoader from 'dataloader'
import type { StoredView } from '../registry/registry.ts'
import type { FoundRows, StoredRowRange, StoredRows } from '../stores/stored-rows.ts'
import { addReadBytes, bytesOfValues, TooManyBytes } from './answer-size.ts'
import { type LoadingRequest, observeRead, type RowSources } from './row-sources.ts'

/** A page of one key's stored rows. */
interface HistoryNeed {
  readonly view: StoredView
  readonly range: StoredRowRange
  readonly first: number
}

/** Rejects with `StoreFailed`. */
export type HistoryLoader = DataLoader<HistoryNeed, FoundRows>

/** One loader per request: the pages of one view and size that a tick asks for are one statement. */
export function historyLoader(
  sources: Pick<RowSources, 'observe'> & { readonly offline: StoredRows },
  request: LoadingRequest,
): HistoryLoader {
  async function read(group: readonly HistoryNeed[]): Promise<readonly FoundRows[]> {
    const [need] = group
    if (!need) return []
    const observed = observeRead(sources, request, 'offline', group.length)
    try {
      const asked = { view: need.view, first: need.first, ranges: group.map(({ range }) => range) }
      const found = await sources.offline.storedRows(asked, request.signal())
      observed()
      for (const { rows } of found)
        for (const { values } of rows) addReadBytes(request.readBytes, bytesOfValues(values))
      return found
    } catch (error) {
      if (!(error instanceof TooManyBytes)) observed(error)
      throw error
    }
  }

  return new DataLoader(
    async (needs: readonly HistoryNeed[]) => {
      const answers: (FoundRows | Error)[] = []
      await Promise.all(
        groupsOf(needs).map(async (places) => {
          const group = places.flatMap((place) => needs[place] ?? [])
          const found = await read(group).catch((error: unknown) =>
            group.map(() => (error instanceof Error ? error : new Error(String(error)))),
          )
          places.forEach((place, index) => {
            const one = found[index]
            if (one) answers[place] = one
          })
        }),
      )
      return answers
    },
    { cache: false },
  )
}

/** Places of the needs that one statement answers. */
function groupsOf(needs: readonly HistoryNeed[]): readonly (readonly number[])[] {
  const groups = new Map<string, number[]>()
  needs.forEach(({ view, first }, place) => {
    const name = `${first} ${view.id}`
    const group = groups.get(name)
    if (group) group.push(place)
    else groups.set(name, [place])
  })
  return [...groups.values()]
}
