import type { Clock } from '../definitions/timestamp.ts'
import { StoreFailed } from '../errors.ts'
import { eventPusher, type PushEventsTargets } from '../ingest/push-events.ts'
import type { EventSource } from '../registry/registry.ts'
import { type Transaction, transactionMessage } from './transactions.ts'

/** Rejects when it is not known whether all of them were taken: by their ids they can be sent again. */
export type EmitTransactions = (transactions: readonly Transaction[]) => Promise<void>

/** As `POST /events/<source>` takes them. */
export function emitToLog(
  stores: Pick<PushEventsTargets, 'events' | 'violations'>,
  source: EventSource,
  clock: Clock,
): EmitTransactions {
  const push = eventPusher({
    ...stores,
    clock,
    storeFailed: (_store, error) => {
      throw error
    },
  })
  return async (transactions) => {
    const offered = transactions.map((transaction) => ({ json: transactionMessage(transaction) }))
    for (const outcome of await push(source, offered)) {
      // What a deletion or an expectation keeps out is no fault of the sender's.
      if (!outcome.accepted && outcome.code === 'INVALID_EVENT') throw new StoreFailed(outcome.message)
    }
  }
}
