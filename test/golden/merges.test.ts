import { describe, expect, it } from 'vitest'
import type { PostgresSource } from '../../src/definitions/data-source.ts'
import type { StreamedOfflineView } from '../../src/stores/offline-view.ts'
import { scatteredSql } from '../../src/stores/postgres/features/streamed-scatter.ts'
import { sweptEventsSql } from '../../src/stores/postgres/windows/merged-windows.ts'
import { at, offlineView } from '../contract/offline-store.ts'
import { expectGolden, goldenFiles } from './golden-file.ts'

const t = at('2026-11-20T12:00:00Z')
const minute = 60_000_000
const card = { name: 'card', type: 'string', column: 'card' } as const
const amount = { name: 'amount', type: 'float64', column: 'amount' } as const

const boardings: StreamedOfflineView = {
  ...{ id: 'stop_boardings', name: 'stop_boardings', kind: 'STREAM', source: null, features: [] },
  entity: {
    joinKeys: [
      { name: 'line', type: 'string' },
      { name: 'post', type: 'int32' },
    ],
  },
  aggregations: [
    { aggregate: 'count', field: null, windowMicros: 60 * minute, hopMicros: 5 * minute, where: [] },
    {
      ...{ aggregate: 'sum', field: amount, windowMicros: 60 * minute, hopMicros: 5 * minute },
      where: [{ field: card, value: "o'clock" }],
    },
    { aggregate: 'last', field: card, windowMicros: minute, hopMicros: 5_000_000, where: [] },
  ],
  events: {
    ...{ name: 'boardings', topic: null, indexedKeys: [['line', 'post']], table: null },
    ...{ eventTimestamp: 'at', createdTimestamp: null, eventId: null, fields: [card, amount] },
  },
}

const rides: PostgresSource = {
  ...{ kind: 'postgres', name: 'rides', query: 'select * from rides where not test -- all', rowId: 'id' },
  ...{ eventTimestamp: 'at', createdTimestamp: 'seen', columns: { driver: 'driver id' } },
}

/** Of one row of each post on line N1. */
const swept = (...knownAt: readonly (number | null)[]) => ({
  rows: {
    ...{ length: knownAt.length, keys: [knownAt.map(() => 'N1'), knownAt.map((_, place) => 4 + place)] },
    ...{ asOf: new Float64Array(knownAt.length).fill(t), knownAt: (place: number) => knownAt[place] ?? null },
  },
  sweeps: knownAt.map((_, place) => ({ rows: [place], first: t - 60 * minute, until: t })),
})
const rows = [{ key: ['a'], asOf: t, knownAt: null }]
const keys = [{ key: ['a'], places: [0] }]

const statements = {
  'merged-windows': sweptEventsSql('default', boardings, swept(null), null).sql,
  'merged-windows-known-and-seen': sweptEventsSql('default', boardings, swept(t, null), '1:9:').sql,
  'scattered-managed-view': scatteredSql(
    { project: 'other', visibleIn: '1:9:' },
    { ...offlineView('drivers', { a: 'int64', b: 'string' }, { n: 'int64' }), kind: 'PLAIN', source: null },
    { keys, rows, knownAt: null, rowIds: 'INTEGER' },
  ).sql,
  'scattered-query': scatteredSql(
    { project: 'default', visibleIn: '1:9:' },
    { ...offlineView('rides', { driver: 'string' }, { fare: 'decimal(2)' }), kind: 'PLAIN', source: rides },
    { keys, rows, knownAt: t, rowIds: 'UUID' },
  ).sql,
}

describe('the SQL of readings that answer many entity rows at once', () => {
  it.each(Object.entries(statements))('is what is committed: %s', async (name, { text }) => {
    await expectGolden(`merges/${name}.sql`, `${text}\n`)
  })

  it('has a case for every committed file', async () => {
    expect(await goldenFiles('merges')).toEqual(
      Object.keys(statements)
        .map((name) => `${name}.sql`)
        .sort(),
    )
  })
})
