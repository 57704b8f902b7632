import { BadUserInput } from '../errors.ts'
import { eventPusher, type PushEventsTargets } from '../ingest/push/push-events.ts'
import type { EventSource } from '../registry/registry.ts'
import type { EventStream } from '../stores/event-stream.ts'
import { type Transaction, transactionMessage } from './transactions.ts'

/** Rejects when it is not known whether all of them were taken: by their ids they can be sent again. */
export type EmitTransactions = (transactions: readonly Transaction[]) => Promise<void>

/** As `POST /events/<source>` takes them. Rejects with BadUserInput where the source is not the demo's any more. */
export function emitToLog(
  targets: Omit<PushEventsTargets, 'storeFailed'>,
  source: EventSource,
): EmitTransactions {
  const push = eventPusher({
    ...targets,
    storeFailed: (_store, error) => {
      throw error
    },
  })
  return async (transactions) => {
    const offered = transactions.map((transaction) => ({ json: transactionMessage(transaction) }))
    for (const outcome of await push(source, offered)) {
      // What a deletion or an expectation keeps out is no fault of the sender's.
      if (!outcome.accepted && outcome.code === 'INVALID_EVENT') throw new BadUserInput(outcome.message)
    }
  }
}

/** A customer's go to one partition, in order. */
export function emitToTopic(stream: Pick<EventStream, 'publish'>, topic: string): EmitTransactions {
  return async (transactions) => {
    const messages = transactions.map((transaction) => ({
      key: Buffer.from(String(transaction.customerId)),
      value: Buffer.from(JSON.stringify(transactionMessage(transaction))),
    }))
    await stream.publish(topic, messages)
  }
}
