import type pg from 'pg'
import { formatTimestamp } from '../../../definitions/timestamp.ts'
import type { StoreOutcome } from '../../event-log.ts'
import type { RetriedEventEntry, RetryPlace } from '../../quarantine-store.ts'
import { recordPosition } from '../events/event-positions.ts'
import { topicIdOf } from '../events/event-topics.ts'
import { appendEvents, type StoreTarget, storeNew } from '../events/store-events.ts'
import { fileTopic } from '../imports/import-receipt.ts'

/** The file comes once more: what it stores now stands at a topic of its own, behind all that was applied. */
const comeAgain = `update featuregraph.imports set times = times + 1
where project = $1 and kind = 'EVENTS' and target = $2 and file = $3 and imported_at = $4 and rows_read is not null
returning digest, times`

/** Entries that are this transaction's, each with its outcome. */
export async function storeRetried(
  client: pg.ClientBase,
  target: Omit<StoreTarget, 'topicId'>,
  place: RetryPlace,
  entries: readonly RetriedEventEntry[],
): Promise<readonly StoreOutcome[]> {
  if (entries.length === 0) return []
  const { project, source } = target
  const events = entries.map(({ event }) => event)
  if (place.kind === 'FILE') {
    const { rows } = await client.query<{ digest: string; times: number }>(comeAgain, [
      ...[project, source.name, place.path, formatTimestamp(place.importedAt)],
    ])
    const [receipt] = rows
    if (receipt) {
      const topicId = await topicIdOf(client, project, fileTopic(receipt.digest, receipt.times))
      const at = { ...target, topicId }
      await recordPosition(client, at, Math.max(...entries.map(({ row }) => row)) + 1)
      return await storeNew(
        client,
        at,
        entries.map(({ event, row }) => ({ ...event, partition: 0, offset: row })),
      )
    }
  }
  const topicId = await topicIdOf(client, project, place.topic)
  return (await appendEvents(client, { ...target, topicId }, events)).outcomes
}
