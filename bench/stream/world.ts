import { mkdir, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { count, entity, eventSource, stream, sum, windowedView } from '../../src/definitions/featuregraph.ts'
import { formatTimestamp, type Micros } from '../../src/definitions/timestamp.ts'

export const partitions = 4
/** Of the sawtooth window of one hour: it begins on a whole tile. */
const windowMicros = 3_600_000_000
export const tileMicros = 300_000_000
/** An hour and the part of a tile before it. */
export const tilesOfWindow = windowMicros / tileMicros + 1

export const now = (): Micros => Date.now() * 1_000

export const tileOf = (time: Micros): number => Math.floor(time / tileMicros)

/** The oldest tile that the window holds at `t`. */
export const firstTileAt = (t: Micros): number => tileOf(t - windowMicros)

export interface Transaction {
  readonly index: number
  readonly customer: number
  readonly at: Micros
  readonly amount: number
  readonly merchant: number
  readonly success: boolean
}

/** As a producer of the fraud example would send it: 150 bytes. An offset instead of Z, for older Pythons. */
export function messageOf({ index, customer, at, amount, merchant, success }: Transaction): {
  readonly key: Buffer
  readonly value: Buffer
} {
  const value = JSON.stringify({
    transaction_id: `${mix(index, 6)}-${index}`,
    customer_id: customer,
    amount,
    merchant_id: `merchant_${merchant}`,
    success,
    timestamp: formatTimestamp(at).replace('Z', '+00:00'),
  })
  return { key: Buffer.from(String(customer)), value: Buffer.from(value) }
}

/** Everything but the time is a function of the number: runs see the same transactions. */
export function transactionOf(index: number, customer: number, at: Micros): Transaction {
  return {
    index,
    customer,
    at,
    amount: (mix(index, 2) % 100_000) / 100,
    merchant: mix(index, 3) % 10_000,
    success: mix(index, 4) % 50 !== 0,
  }
}

/** A whole number below 2^32 that looks random. */
export function mix(index: number, salt: number): number {
  let hash = Math.imul(index ^ Math.imul(salt, 0x9e3779b1), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return (hash ^ (hash >>> 16)) >>> 0
}

/** Definitions for our processes: the realtime features of the fraud example over one topic. Answers their folder. */
export async function writeDefinitions(folder: string, topic: string, hasIds: boolean): Promise<string> {
  const schema = path.join(folder, `schema-${topic}`)
  const customer = entity('customer', { joinKeys: { customer_id: 'int64' } })
  const transactions = eventSource('transactions', {
    topic,
    eventTimestamp: 'timestamp',
    ...(hasIds ? { eventId: 'transaction_id' } : {}),
    fields: {
      customer_id: 'int64',
      amount: 'float64',
      merchant_id: 'string',
      success: { type: 'bool', default: true },
    },
  })
  const features = windowedView('customer_realtime_features', {
    entity: customer,
    source: transactions,
    ttl: '1h',
    compute: stream(),
    features: {
      transactions_last_hour: count('1h'),
      amount_last_hour: sum('amount', '1h'),
      failed_transactions_last_hour: count('1h', { where: { success: false } }),
    },
  })
  await mkdir(schema)
  const lines = Object.entries({ customer, transactions, features }).map(
    ([name, definition]) => `export const ${name} = ${JSON.stringify(definition)}\n`,
  )
  await writeFile(path.join(schema, 'world.mjs'), lines.join(''))
  return schema
}
