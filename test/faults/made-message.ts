import { formatTimestamp, type Micros } from '../../src/definitions/timestamp.ts'
import type { TestEvent } from '../oracle/store-events.ts'
import { between, oneOf, type Random } from './random.ts'

/** A message on its way to the topic. */
export interface MadeMessage {
  readonly seq: number
  /** Null: no event of the source, to be dead-lettered. */
  readonly event: TestEvent | null
  readonly key: Buffer | null
  readonly value: Buffer
}

export interface MadeEventOptions {
  /** How far the producer's clock is ahead; by default events are up to 26 hours late. */
  readonly ahead?: readonly [Micros, Micros]
  readonly note?: string
  /** Properties that the source does not know. */
  readonly more?: Readonly<Record<string, unknown>>
}

export const customers = 120
const minute: Micros = 60_000_000
const shops = ['a', 'b', 'c', 'd', 'e', 'f', 'g', null] as const

/** An event of the world; amounts are quarters, so that sums are exact in whatever order they are made. */
export function madeEvent(
  random: Random,
  seq: number,
  now: Micros,
  { ahead, note, more = {} }: MadeEventOptions = {},
): MadeMessage {
  const at = ahead === undefined ? past(random, now) : now + between(random, ...ahead)
  const fields = {
    customer_id: between(random, 1, customers),
    seq,
    amount: random() < 0.05 ? null : between(random, -400, 4_000) / 4,
    shop: oneOf(random, shops),
    failed: oneOf(random, [true, false, false, null]),
    note: note ?? null,
  }
  const text = JSON.stringify({ at: formatTimestamp(at), ...fields, ...more })
  return { seq, event: { at, fields }, key: madeKey(random), value: Buffer.from(text) }
}

/** Mostly of the last minutes, some of the last hours or of another month, some at the very beginning of a tile. */
function past(random: Random, now: Micros): Micros {
  const kind = random()
  if (kind < 0.005) return now - between(random, 30, 400) * 24 * 60 * minute
  if (kind < 0.1) return now - between(random, 0, 26 * 60 * minute)
  if (kind < 0.15) return Math.floor(now / (5 * minute)) * 5 * minute - between(random, 0, 12) * 5 * minute
  return now - between(random, 0, 8 * minute)
}

/** Apart from the customer, whose events so come by several partitions; some have none. */
function madeKey(random: Random): Buffer | null {
  return random() < 0.1 ? null : Buffer.from(String(between(random, 1, 50)))
}

/** What is no event, of any kind. */
export function madeGarbage(random: Random, seq: number, now: Micros): MadeMessage {
  const at = formatTimestamp(now)
  const kinds: readonly [string, ...(string | Buffer)[]] = [
    'not json',
    '',
    JSON.stringify({ at: 'yesterday', customer_id: 1, seq }),
    JSON.stringify({ at, customer_id: 'one', seq, amount: 1 }),
    JSON.stringify({ at, customer_id: 1, seq, amount: 'much' }),
    JSON.stringify({ at, seq, amount: 1 }),
    JSON.stringify([{ at, customer_id: 1, seq }]),
    // What Postgres or UTF-8 cannot hold must not hold up what comes behind it.
    JSON.stringify({ at, customer_id: 1, seq, shop: 'a\u0000b' }),
    `{"at":"${at}","customer_id":1,"seq":${seq},"shop":"\\ud800"}`,
    `{"at":"${at}","customer_id":1,"seq":${seq},"amount":1e999}`,
    `{"at":"${at}","customer_id":1${'0'.repeat(30)},"seq":${seq}}`,
    `{"at":"0001-01-01T00:00:00Z","customer_id":1,"seq":${seq}}`,
    '['.repeat(50_000) + ']'.repeat(50_000),
    'null',
    `{"at":"${at}","customer_id":1,"seq":${seq}`,
    Buffer.concat([
      Buffer.from(`{"at":"${at}","customer_id":1,"seq":${seq},"shop":"`),
      Buffer.from([0xff, 0xfe]),
      Buffer.from('"}'),
    ]),
  ]
  return { seq, event: null, key: madeKey(random), value: Buffer.from(oneOf(random, kinds)) }
}
