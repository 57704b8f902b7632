import type { AggregateName } from '../../../src/definitions/aggregation.ts'
import type { JoinKeyType, ScalarType, ValueType } from '../../../src/definitions/value-type.ts'
import type { WindowedAggregation } from '../../../src/definitions/windowed-aggregation.ts'
import type { FileJoin, RowRead, WindowRead } from '../../../src/stores/file-join.ts'
import { aggregatedType, emptyValue } from '../../../src/windows/aggregates/aggregates.ts'
import { offlineView } from '../../contract/offline-store.ts'

const hour = 3_600_000_000

export type JoinCase = Pick<FileJoin, 'reads' | 'knownAt'>

/** Fields of the events that the windows are of. */
export const eventFields = {
  ...{
    shop: 'string',
    shelf: 'int32',
    weight: 'float64',
    pieces: 'int64',
    price: 'decimal(2)',
    baker: 'string',
  },
} as const satisfies Readonly<Record<string, ScalarType>>

const keysOf = (joinKeys: Readonly<Record<string, JoinKeyType>>, place = 0) =>
  Object.entries(joinKeys).map(([name, type], index) => ({ name, type, place: place + index }))

function rowRead(
  joinKeys: Readonly<Record<string, JoinKeyType>>,
  features: Readonly<Record<string, ValueType>>,
  more: Partial<RowRead> = {},
): RowRead {
  const view = offlineView('profile', joinKeys, features, {
    ...{
      kind: 'parquet',
      name: 'profile',
      path: '/lake/profile',
      format: 'parquet',
      eventTimestamp: 'event_timestamp',
    },
    ...{ createdTimestamp: 'created_timestamp', rowId: 'row_id', closing: 'closing' },
    ...{ columns: {}, empty: {}, partitions: {} },
  })
  if (view.kind !== 'PLAIN' || view.source?.kind !== 'parquet') throw new TypeError('no view in files')
  return {
    kind: 'ROWS',
    view: { ...view, source: view.source },
    keys: keysOf(joinKeys),
    files: { of: 'profile', path: '/lake/profile', files: [] },
    features: Object.entries(features).map(([name, type]) => ({ name, type, emptyValue: null })),
    notKnown: { kind: 'NONE' },
    ttlMicros: 10 * hour,
    ...more,
  }
}

type Asked = readonly [
  AggregateName,
  keyof typeof eventFields | null,
  number,
  number,
  WindowedAggregation['where']?,
]

function windowRead(joinKeys: Readonly<Record<string, JoinKeyType>>, asked: readonly Asked[]): WindowRead {
  const aggregations = asked.map(
    ([aggregate, field, windowMicros, hopMicros, where = []]): WindowedAggregation => ({
      ...{ aggregate, windowMicros, hopMicros, where },
      field: field === null ? null : { name: field, type: eventFields[field] },
    }),
  )
  const fields = Object.entries(eventFields).map(([name, type]) => ({ name, type, column: name }))
  return {
    ...{ kind: 'WINDOWS', view: 'recent', aggregations, notKnown: { kind: 'NONE' } },
    keys: keysOf(joinKeys),
    files: { of: 'sales', path: '/lake/sales', files: [] },
    events: {
      ...{ name: 'sales', topic: null, indexedKeys: [], table: null, fields },
      ...{ eventTimestamp: 'event_timestamp', createdTimestamp: null, eventId: null },
    },
    features: aggregations.map(({ aggregate, field }, index) => ({
      name: `window_${index}`,
      type: aggregatedType(aggregate, field?.type ?? null) ?? 'float64',
      emptyValue: emptyValue(aggregate),
    })),
  }
}

const shop = { shop: 'string' } as const
const shelf = { shop: 'string', shelf: 'int32' } as const
const everyAggregate: readonly Asked[] = [
  ['count', null, 2 * hour, hour / 12],
  ['count', null, 5 * hour, hour / 12, [{ field: { name: 'baker', type: 'string' }, value: "o'ada" }]],
  ['count', null, 5 * hour, 7 * (hour / 60), [{ field: { name: 'baker', type: 'string' }, value: null }]],
  ['sum', 'weight', 2 * hour, hour / 12],
  ['sum', 'pieces', 2 * hour, hour / 12],
  ['sum', 'price', 5 * hour, hour / 12],
  ['mean', 'weight', 5 * hour, hour / 12],
  ['mean', 'price', 5 * hour, hour / 12],
  ['min', 'price', 2 * hour, hour / 12],
  ['max', 'weight', 2 * hour, hour / 12],
  ['variance', 'pieces', 5 * hour, hour / 12],
  ['stddev', 'weight', 2 * hour, hour / 12],
  ['countDistinct', 'baker', 5 * hour, hour / 12],
  ['first', 'baker', 5 * hour, hour / 12],
  ['last', 'price', 2 * hour, hour / 12],
]

/** What the golden files hold, and what is run on Spark. */
export const joinCases: Readonly<Record<string, JoinCase>> = {
  'composite-keys': {
    reads: [
      rowRead(shelf, {
        flour: 'float64',
        tags: 'string[]',
        opened: 'timestamp',
        cost: 'decimal(2)',
        photo: 'bytes',
      }),
    ],
    knownAt: { kind: 'ALL' },
  },
  'known-at-a-moment': {
    reads: [rowRead(shop, { seats: 'int64' }), windowRead(shop, [['count', null, 2 * hour, hour / 12]])],
    knownAt: { kind: 'MOMENT', at: 1_793_000_000_000_000 - 3 * hour },
  },
  'known-behind-each-row': {
    reads: [
      rowRead(shop, { seats: 'int64', open: 'bool' }),
      windowRead(shelf, [['count', null, 3 * hour, 7 * (hour / 60)]]),
    ],
    knownAt: { kind: 'ROW', delayMicros: hour },
  },
  'every-aggregate': { reads: [windowRead(shop, everyAggregate)], knownAt: { kind: 'ALL' } },
}

export const caseTimes = { from: 1_793_000_000_000_000 - 12 * hour, to: 1_793_000_000_000_000 }
