import { appendFile, writeFile } from 'node:fs/promises'
import type { Micros } from '../definitions/timestamp.ts'
import {
  customerCount,
  dayMicros,
  firstCustomer,
  type Transaction,
  transactionMessage,
  transactionsOfDay,
} from './transactions.ts'

const customersPerBatch = 50

/** From its first instant on and before its last, as windows hold them. */
export interface DemoSpan {
  readonly from: Micros
  readonly to: Micros
}

/**
 * The span's transactions as NDJSON, as a shop's systems would hand them over; the same span gives the same file, byte by
 * byte. `progress` gets the part that is done, up to 1.
 */
export async function writeHistory(
  file: string,
  seed: number,
  span: DemoSpan,
  progress: (part: number) => void,
): Promise<void> {
  await writeFile(file, '')
  for (let first = 0; first < customerCount; first += customersPerBatch) {
    const lines: string[] = []
    for (let index = first; index < first + customersPerBatch; index += 1) {
      for (const transaction of customerHistory(seed, firstCustomer + index, span))
        lines.push(`${JSON.stringify(transactionMessage(transaction))}\n`)
    }
    await appendFile(file, lines.join(''))
    progress(Math.min(first + customersPerBatch, customerCount) / customerCount)
  }
}

function customerHistory(seed: number, customerId: number, { from, to }: DemoSpan): readonly Transaction[] {
  const transactions: Transaction[] = []
  for (let day = Math.floor(from / dayMicros); day * dayMicros < to; day += 1)
    transactions.push(...transactionsOfDay(seed, customerId, day))
  return transactions.filter(({ timestamp }) => timestamp >= from && timestamp < to)
}
