import fc from 'fast-check'
import {
  batch,
  count,
  countDistinct,
  entity,
  eventSource,
  first,
  last,
  max,
  mean,
  min,
  stddev,
  sum,
  variance,
  windowedView,
} from 'featuregraph'
import type { Micros } from '../../../src/definitions/timestamp.ts'
import type { KeyValue, ScalarValue } from '../../../src/definitions/value.ts'
import { buildRegistry } from '../../../src/registry/build-registry.ts'
import type { BatchView } from '../../../src/registry/registry.ts'
import type { RowsKnown } from '../../../src/stores/window-sql/tile-plan.ts'
import { at } from '../../contract/offline-store.ts'

/** An event as it is exported, with its position. */
export interface PlacedEvent {
  readonly at: Micros
  readonly topic: string
  readonly partition: number
  readonly offset: number
  readonly counts: boolean
  /** When it became known; without it at its own time. */
  readonly storedAt?: Micros
  readonly fields: Readonly<Record<string, ScalarValue | null>>
}

export interface WindowWorld {
  /** The entity, the source and, last, the view, as they are written. */
  readonly definitions: readonly unknown[]
  readonly view: BatchView
  readonly times: readonly Micros[]
  readonly previous: Micros | null
  readonly events: readonly PlacedEvent[]
  readonly known?: RowsKnown
}

const minute = 60_000_000
const hour = 60 * minute
const day = 24 * hour
const monday = at('2026-06-01T00:00:00Z')

export const customer = entity('customer', { joinKeys: { customer_id: 'int64' } })
export const terminal = entity('terminal', { joinKeys: { shop: 'string', till: 'uuid' } })
export const fields = {
  customer_id: 'int64',
  shop: 'string',
  till: 'uuid',
  amount: 'float64',
  weight: 'float32',
  items: 'int32',
  points: 'int64',
  price: 'decimal(2)',
  paid: 'bool',
  seen: 'timestamp',
  code: 'bytes',
} as const
export const sales = eventSource('sales', { eventTimestamp: 'sold_at', fields })

type Features = Parameters<typeof windowedView>[1]['features']

function viewOf(
  name: string,
  of: typeof customer | typeof terminal,
  every: string,
  features: Features,
): Pick<WindowWorld, 'definitions' | 'view'> {
  const view = windowedView(name, {
    entity: of,
    source: sales,
    compute: batch({ every }),
    features: features as Readonly<Record<string, ReturnType<typeof count>>>,
  })
  const definitions = [of, sales, view]
  const registry = buildRegistry(definitions.map((value, index) => ({ path: `definition ${index}`, value })))
  const [built] = registry.views
  if (built?.kind !== 'BATCH') throw new Error('no batch view')
  return { definitions, view: built }
}

/** All that could end a literal, a statement or a script. */
const oddShop = `o'cl\\ock;\n"\${x}\`ä😀`

/** Every kind of aggregation, over every type that it takes. */
const everyKind: Features = {
  n: count('3h'),
  n_paid: count('7d', { where: { paid: true } }),
  n_unknown: count('36h', { hop: '5h', where: { paid: null, shop: oddShop } }),
  of_one_price: count('7d', { where: { price: '0.10' } }),
  of_one_weight: count('7d', { where: { weight: 0.5, points: 3 } }),
  amount_sum: sum('amount', '7d'),
  amount_mean: mean('amount', '36h', { hop: '5h' }),
  amount_variance: variance('amount', '7d'),
  amount_deviation: stddev('amount', '3h'),
  amount_least: min('amount', '7d'),
  amount_most: max('amount', '3h'),
  amounts: countDistinct('amount', '7d'),
  first_amount: first('amount', '7d'),
  last_amount: last('amount', '36h', { hop: '5h', where: { paid: true } }),
  weight_sum: sum('weight', '7d'),
  weight_mean: mean('weight', '7d'),
  weight_least: min('weight', '7d'),
  weight_deviation: stddev('weight', '7d'),
  last_weight: last('weight', '7d'),
  items_sum: sum('items', '7d'),
  items_most: max('items', '7d'),
  items_mean: mean('items', '3h'),
  first_items: first('items', '7d'),
  points_sum: sum('points', '7d'),
  points_sum_short: sum('points', '3h'),
  points_least: min('points', '7d'),
  last_points: last('points', '7d'),
  price_sum: sum('price', '7d'),
  price_mean: mean('price', '7d'),
  price_variance: variance('price', '7d'),
  price_most: max('price', '3h'),
  first_price: first('price', '7d'),
  prices: countDistinct('price', '7d'),
  shops: countDistinct('shop', '7d'),
  shops_unpaid: countDistinct('shop', '3h', { where: { paid: false } }),
  last_shop: last('shop', '7d'),
  tills: countDistinct('till', '36h', { hop: '5h' }),
  last_seen: max('seen', '7d'),
  first_code: first('code', '7d'),
  codes: countDistinct('code', '7d'),
  last_paid: last('paid', '7d'),
}

const fiveFeatures: Features = {
  total_30d: sum('amount', '30d'),
  average_30d: mean('amount', '30d'),
  largest_30d: max('amount', '30d'),
  count_7d: count('7d'),
  shops_30d: countDistinct('shop', '30d'),
}

function range(from: Micros, step: Micros, length: number): readonly Micros[] {
  return Array.from({ length }, (_, index) => from + index * step)
}

/** What the golden files are of. */
export const goldenCases: Readonly<Record<string, Omit<WindowWorld, 'events'>>> = {
  'five-features': {
    ...viewOf('customer_sales', customer, '1d', fiveFeatures),
    times: range(monday + 30 * day, day, 100),
    previous: null,
  },
  'every-kind': {
    ...viewOf('every_kind', customer, '1h', everyKind),
    times: range(monday + 2 * day, 7 * hour, 30),
    previous: monday + 2 * day - 7 * hour,
  },
  'times-with-gaps': {
    ...viewOf('till_sales', terminal, '30m', {
      n: count('1h'),
      spread: variance('amount', '1d'),
      shops: countDistinct('shop', '1d'),
      last_price: last('price', '1d', { hop: '7m' }),
      a: sum('amount', '2h'),
      // The name of the tolerance of a.
      a__tolerance: sum('amount', '1d'),
    }),
    times: [
      ...range(monday + day, 30 * minute, 12),
      ...[2 * day, 2 * day + 30 * minute, 3 * day + hour].map((since) => monday + since),
      ...range(monday + 3 * day + 5 * hour, 2 * hour, 6),
    ],
    previous: monday + day - 30 * minute,
  },
  'one-time-before-1970': {
    ...viewOf('early_sales', terminal, '1h', {
      n: count('1h'),
      amount_sum: sum('amount', '1d'),
      latest: last('points', '1d'),
    }),
    times: [at('1899-12-31T23:00:00Z')],
    previous: null,
  },
  'known-since': {
    ...viewOf('known_sales', customer, '1h', { n: count('2h'), total: sum('amount', '2h') }),
    times: [...range(monday + day, hour, 6), monday + day + 9 * hour],
    previous: monday + day - hour,
    // Of the last times half an hour has not passed.
    known: { now: monday + day + 4 * hour + 10 * minute, afterMicros: 30 * minute },
  },
}

const windows = [
  { window: '1h' },
  { window: '1d' },
  { window: '7d' },
  { window: '36h', hop: '5h' },
  { window: '50m', hop: '7m' },
  { window: '10s', hop: '3s' },
] as const
const ofField = { sum, mean, min, max, variance, stddev, countDistinct, first, last } as const
const numbers = ['amount', 'weight', 'items', 'points', 'price'] as const

/** An aggregation of any kind over any field that it takes. */
export const arbitraryAggregation = fc
  .record({
    window: fc.constantFrom(...windows),
    kind: fc.constantFrom('count', ...(Object.keys(ofField) as (keyof typeof ofField)[])),
    number: fc.constantFrom(...numbers),
    any: fc.constantFrom(...numbers, 'shop', 'till', 'paid', 'seen', 'code'),
    where: fc.constantFrom({}, {}, { paid: true }, { paid: null }, { shop: 'a' }),
  })
  .map(({ window: { window, ...hop }, kind, number, any, where }) => {
    const options = { ...hop, where }
    if (kind === 'count') return count(window, options)
    const takesAll = kind === 'countDistinct' || kind === 'first' || kind === 'last'
    return ofField[kind](takesAll ? any : number, window, options)
  })

const every = fc.constantFrom(
  { text: '1h', micros: hour },
  { text: '1d', micros: day },
  { text: '35m', micros: 35 * minute },
)

/** Lists of times as runs ask for: ranges, ranges with holes, single ones. */
const randomView = fc
  .record({
    features: fc.array(arbitraryAggregation, { minLength: 1, maxLength: 6 }),
    every,
    of: fc.constantFrom(customer, terminal),
    start: fc.constantFrom(monday, at('1969-12-30T12:00:00Z')),
    steps: fc.array(fc.constantFrom(1, 1, 1, 1, 2, 2, 5), { maxLength: 14 }),
    hasPrevious: fc.boolean(),
  })
  .map(({ features, every: { text, micros }, of, start, steps, hasPrevious }) => {
    let time = Math.floor(start / micros) * micros
    const all = [time, ...steps.map((step) => (time += step * micros))]
    const named = Object.fromEntries(features.map((one, index) => [`feature_${index}`, one]))
    const [previous = null, ...rest] = all
    return {
      ...viewOf('random', of, text, named),
      ...(hasPrevious && rest.length > 0 ? { previous, times: rest } : { previous: null, times: all }),
    }
  })

const tills = ['123e4567-e89b-12d3-a456-426614174000', 'ffffffff-ffff-4fff-bfff-ffffffffffff']
const decimals = fc.oneof(
  fc.constant(0.1),
  fc.integer({ min: -500, max: 500 }).map((units) => units / 100),
  fc.constantFrom('9000000000000000.01', '-9000000000000000.01'),
)
const float = fc.integer({ min: -5_000, max: 5_000 }).map((cents) => cents / 100)
const offset = fc.oneof(
  fc.double({ min: -0.7, max: 1, noNaN: true }),
  fc.integer({ min: -20, max: 40 }).map((part) => part / 40),
)

/** What is drawn of an event, beside its time. */
export const drawnEvent = {
  topic: fc.constantFrom('sales', 'file:ab'),
  partition: fc.integer({ min: 0, max: 2 }),
  counts: fc.integer({ min: 0, max: 9 }).map((one) => one > 0),

  customer_id: fc.constantFrom<KeyValue>(1, 2, '9007199254740993'),
  shop: fc.constantFrom('a', 'b', '', oddShop),
  till: fc.constantFrom(...tills),
  amount: fc.option(
    fc.oneof(float, float, fc.constantFrom(1e6, 1e6, 1e200, 1.7e308, -1.7e308, 0.1, Number.NaN, Infinity)),
  ),
  weight: fc.option(fc.oneof(fc.constantFrom(0.5, 16_777_216), float.map(Math.fround))),
  items: fc.option(fc.constantFrom(0, 1, 2, -3, 2_147_483_647)),
  points: fc.option(
    fc.constantFrom<number | string>(0, 3, -7, '4611686018427387904', '-4611686018427387904'),
  ),
  price: fc.option(decimals),
  paid: fc.option(fc.boolean()),
  seen: fc.option(fc.constantFrom(monday + 1, -1, 0, monday)),
  code: fc.option(fc.constantFrom('', '00', 'ff00').map((hex) => Buffer.from(hex, 'hex'))),
}

/** Of a span and beside it, at bounds of hops and snapshots, and just beside them. */
const drawnTime = {
  since: offset,
  beside: fc.constantFrom(0, 0, 0, -1, 1),
  floor: fc.constantFrom(1, minute, 5 * minute, hour, day),
}

/** Events around the times of a view, many of them of equal times. */
function eventsFor({ times, previous }: Omit<WindowWorld, 'events'>, maxLength: number) {
  const all = [...times, ...(previous === null ? [] : [previous])]
  const [from, to] = [Math.min(...all), Math.max(...all)]
  const span = Math.max(to - from, 2 * day)
  return fc
    .array(fc.record({ ...drawnTime, ...drawnEvent }), { minLength: 1, maxLength, size: 'max' })
    .map((events) =>
      events.map(({ since, beside, floor, topic, partition, counts, ...values }, index): PlacedEvent => {
        const time = from + Math.round(since * span)
        return {
          at: Math.floor(time / floor) * floor + beside,
          ...{ topic, partition, offset: index, counts, fields: values },
        }
      }),
    )
}

export function worldOf(given: Omit<WindowWorld, 'events'>, maxLength: number): fc.Arbitrary<WindowWorld> {
  return eventsFor(given, maxLength).map((events) => ({ ...given, events }))
}

/** Views, times and events of any kind. */
export const randomWorld: fc.Arbitrary<WindowWorld> = randomView.chain((given) => worldOf(given, 60))
