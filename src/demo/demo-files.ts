import { appendFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { formatTimestamp, type Micros } from '../definitions/timestamp.ts'
import type { OfferedRow } from '../ingest/accept-row.ts'
import { type CustomerHistory, customerHistory, realtimeRow, realtimeRows } from './demo-rows.ts'
import { customerCount, firstCustomer } from './transactions.ts'

const customersPerBatch = 50
/** A quiet customer's realtime row is written anew before its ttl of an hour is over. */
const renewAfter: Micros = 45 * 60_000_000

/** What is written: everything after `from` up to `to`, of a history that begins at `beginning`. */
export interface DemoSpan {
  readonly beginning: Micros
  readonly from: Micros
  readonly to: Micros
}

interface DemoFiles {
  readonly transactions: string
  readonly realtime: string
}

/**
 * The span's transactions and realtime rows as NDJSON, as a shop's systems would hand them over. The same span gives the
 * same transactions, byte by byte. `renewedAt` holds each customer's newest realtime row, for the next span.
 */
export async function writeDemoFiles(
  folder: string,
  seed: number,
  span: DemoSpan,
  renewedAt: Map<number, Micros>,
  progress: (part: number) => void,
): Promise<DemoFiles> {
  const files = {
    transactions: join(folder, 'transactions.ndjson'),
    realtime: join(folder, 'customer_realtime.ndjson'),
  }
  await Promise.all(Object.values(files).map((file) => writeFile(file, '')))
  for (let first = 0; first < customerCount; first += customersPerBatch) {
    const events: object[] = []
    const rows: object[] = []
    for (let index = first; index < first + customersPerBatch; index += 1) {
      const history = customerHistory(seed, firstCustomer + index, span)
      events.push(...transactionsOf(history, span))
      rows.push(...newRealtimeRows(history, span, renewedAt).map(realtimeLine))
    }
    await Promise.all([
      appendFile(files.transactions, ndjson(events)),
      appendFile(files.realtime, ndjson(rows)),
    ])
    progress(Math.min(first + customersPerBatch, customerCount) / customerCount)
  }
  return files
}

function ndjson(items: readonly object[]): string {
  return items.map((item) => `${JSON.stringify(item)}\n`).join('')
}

/** From the span's first instant on and before its last, as windows hold them. */
function transactionsOf({ customerId, transactions }: CustomerHistory, { from, to }: DemoSpan): object[] {
  return transactions
    .filter(({ timestamp }) => timestamp >= from && timestamp < to)
    .map(({ timestamp, amount, merchantId, success }) => ({
      timestamp: formatTimestamp(timestamp),
      customer_id: customerId,
      amount,
      merchant_id: merchantId,
      success,
    }))
}

function newRealtimeRows(
  history: CustomerHistory,
  { from, to }: DemoSpan,
  renewedAt: Map<number, Micros>,
): OfferedRow[] {
  const { customerId } = history
  const rows = realtimeRows(history, from, to)
  const last = rows.at(-1)?.eventTimestamp ?? renewedAt.get(customerId) ?? Number.NEGATIVE_INFINITY
  const renews = last <= to - renewAfter
  renewedAt.set(customerId, renews ? to : last)
  return renews ? [...rows, realtimeRow(history, to)] : rows
}

function realtimeLine({ key, values, eventTimestamp, createdTimestamp }: OfferedRow): object {
  return {
    ...key,
    event_timestamp: formatTimestamp(eventTimestamp),
    created_timestamp: formatTimestamp(createdTimestamp ?? eventTimestamp),
    ...values,
  }
}
