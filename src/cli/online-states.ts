import { StoreFailed } from '../errors.ts'
import { fillProgress } from '../ingest/refill/fill-progress.ts'
import { onlineGuard } from '../online/guard.ts'
import { liveTiles } from '../online/live-tiles.ts'
import type { FeatureView } from '../registry/registry.ts'
import { parseGuard } from '../stores/online-value/guard-text.ts'
import type { CommandWorld } from './with-stores.ts'

/** `complete`, or why a gateway does not answer of the view, and how far it is. */
export async function onlineStates({
  registry,
  stores,
  layouts,
}: CommandWorld): Promise<ReadonlyMap<FeatureView, string>> {
  const views = registry.views.filter((view) => view.online)
  const tiles = liveTiles(layouts, views, stores.generations)
  const guard = onlineGuard(layouts, views, { record: stores.guardRecord, tiles })
  await guard.refresh()
  const read = await stores.online.readMany([]).catch(noAnswer)
  if (read === null) return new Map(views.map((view) => [view, 'no answer']))
  const { epoch: recorded } = await stores.guardRecord.moment()
  // The first gateway, worker or stream checks the store.
  if (recorded === 0) return new Map(views.map((view) => [view, 'unchecked']))
  // Of a connection that was just made nothing is proven; what it reads is shown.
  const epoch = parseGuard(read.guard)?.epoch ?? null
  const progress = await fillProgress(stores.runs)
  const state = (view: FeatureView): string => {
    const place = guard.placeOf(view)
    const reason =
      typeof place === 'string' ? place : epoch === null ? 'LOST' : guard.missing(view, place, epoch)
    if (reason === null) return 'complete'
    const rowsRead = progress.get(view.id)
    return rowsRead === undefined ? reason : `${reason}, ${rowsRead} rows read`
  }
  return new Map(views.map((view) => [view, state(view)]))
}

/** For a read of a store that may be away: null then. */
export function noAnswer(error: unknown): null {
  if (error instanceof StoreFailed) return null
  throw error
}
