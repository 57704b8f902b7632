/** Everything that the bench stores and asks for, computed from ids alone, so that any process knows what is right. */
export interface BenchView {
  /** As the registry calls it. */
  readonly name: string
  /** As GraphQL calls it. */
  readonly field: string
  /** GraphQL names, in the definition's order. */
  readonly features: readonly string[]
  /** What is answered for a customer without a row: the values of empty windows, or nulls. */
  readonly emptyValues: readonly (number | null)[]
  /** The row's values, null for a null value; null for a customer without a row. */
  readonly values: (customerId: number) => readonly (number | null)[] | null
}

/** The project whose online keys hold the rows. */
export const project = 'bench_online'

/** Ids from 1 to this one have rows; a quick run loads fewer of them, and asks for no others. */
export const customerCount = 100_000

/** A well mixed 32-bit number for each id and salt (the finalizer of MurmurHash3). */
function mix(id: number, salt: number): number {
  let h = Math.imul(id, 0x9e3779b1) ^ Math.imul(salt, 0x85ebca77)
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
  return (h ^ (h >>> 16)) >>> 0
}

const oneIn = (id: number, salt: number, count: number): boolean => mix(id, salt) % count === 0

/** One value in 25 is null. */
function withNulls(id: number, salt: number, values: readonly number[]): readonly (number | null)[] {
  return values.map((value, index) => (oneIn(id, salt + index, 25) ? null : value))
}

const transactionView: BenchView = {
  name: 'customer_transaction_features',
  field: 'customerTransactionFeatures',
  features: [
    'totalTransactions30d',
    'avgTransactionAmount30d',
    'maxTransactionAmount30d',
    'transactionCount7d',
    'uniqueMerchants30d',
  ],
  emptyValues: [0, null, null, 0, 0],
  values(id) {
    if (id > customerCount || oneIn(id, 1, 50)) return null
    const total = (mix(id, 2) % 1_000_000) / 100
    const count = 1 + (mix(id, 3) % 90)
    return withNulls(id, 20, [
      total,
      total / count,
      (mix(id, 4) % 100_000) / 100,
      count,
      1 + (mix(id, 5) % 40),
    ])
  },
}

const realtimeView: BenchView = {
  name: 'customer_realtime_features',
  field: 'customerRealtimeFeatures',
  features: ['transactionsLastHour', 'amountLastHour', 'failedTransactionsLastHour'],
  emptyValues: [null, null, null],
  values(id) {
    if (id > customerCount || oneIn(id, 6, 10)) return null
    return withNulls(id, 30, [mix(id, 7) % 12, (mix(id, 8) % 200_000) / 100, mix(id, 9) % 3])
  },
}

export const views = [transactionView, realtimeView] as const

/** Ids from 1 to this one have a row of the wide view. */
export const wideCount = 5_000

/** 100 features: a third each of counts, of cents and of any numbers. */
export const wideView: BenchView = {
  name: 'customer_wide_features',
  field: 'customerWideFeatures',
  features: Array.from({ length: 100 }, (_, index) => `wide${index}`),
  emptyValues: Array.from({ length: 100 }, () => null),
  values(id) {
    if (id > wideCount || oneIn(id, 11, 50)) return null
    const values = Array.from({ length: 100 }, (_, index) => {
      const drawn = mix(id, 100 + index)
      return [drawn % 10_000, (drawn % 1_000_000) / 100, drawn / 2 ** 32][index % 3] ?? 0
    })
    return withNulls(id, 300, values)
  },
}

/** The service that has all of them. */
export const wideService = { name: 'wide', field: 'wideColumns', key: 'WideKey' } as const

const spreadMicros = 600_000_000

/** Within ten minutes before `base`: no row leaves its view's ttl (1 h) while the bench runs. */
export function eventTimestamp(customerId: number, base: number): number {
  return base - (mix(customerId, 10) % spreadMicros)
}

/** Key of the text hash that the default Apollo server reads. */
export function textKey(view: BenchView, customerId: number): string {
  return `${view.name}:${customerId}`
}

/** `count` lists of `size` ids, of the first `customers` and, one in 50, of nobody. */
export function idLists(size: number, count: number, customers: number): readonly (readonly number[])[] {
  return Array.from({ length: count }, (_, list) =>
    Array.from({ length: size }, (_, place) => {
      const draw = mix(list * 1_009 + place, 1_000 + size)
      const id = 1 + (draw % Math.round(customers * 1.02))
      return id <= customers ? id : customerCount + id - customers
    }),
  )
}
