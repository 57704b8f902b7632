import { expect, it } from 'vitest'
import { parquetSourceDefinition } from '../../src/definitions/parquet-source.ts'
import { asOfJoinSql } from '../../src/stores/duckdb/lake/as-of-join.ts'
import { heldRowsSql } from '../../src/stores/duckdb/lake/held-snapshots.ts'
import { newestRowsSql } from '../../src/stores/duckdb/lake/newest-rows.ts'
import { storedRowsSql } from '../../src/stores/duckdb/lake/stored-rows.ts'
import { groupFiles, viewRowsSql } from '../../src/stores/duckdb/lake/view-rows.ts'
import type { ParquetOfflineView } from '../../src/stores/offline-view.ts'
import { at, offlineView } from '../contract/offline-store.ts'
import { expectGolden, goldenFiles } from './golden-file.ts'

const t = at('2026-11-20T12:00:00Z')

const view: ParquetOfflineView = {
  ...offlineView(
    'visits',
    { device: 'uuid', shop: 'string' },
    { seconds: 'int64', price: 'decimal(2)', seen: 'timestamp', tags: 'string[]' },
  ),
  kind: 'PLAIN',
  source: parquetSourceDefinition.parse({
    ...{ kind: 'parquet', name: 'visits', path: '/lake/visits', partitions: { day: 'day' } },
    ...{
      eventTimestamp: 'at',
      createdTimestamp: 'known',
      rowId: 'id',
      closing: 'gone',
      timezone: 'Europe/Berlin',
    },
    columns: { seconds: 'se"conds' },
  }),
}
const bare = {
  ...view,
  source: parquetSourceDefinition.parse({ ...view.source, rowId: undefined, closing: undefined }),
}

const full = {
  types: new Map([
    ...[
      ['device', 'UUID'],
      ['at', 'TIMESTAMP WITH TIME ZONE'],
      ['known', 'TIMESTAMP'],
      ['id', 'INTEGER'],
    ],
    ...[
      ['gone', 'BOOLEAN'],
      ['se"conds', 'BIGINT'],
      ['price', 'DECIMAL(10,2)'],
      ['seen', 'TIMESTAMP_NS'],
    ],
    ['tags', 'VARCHAR[]'],
  ] as const),
  int96: new Set<string>(),
}
const old = {
  types: new Map([
    ...[
      ['device', 'VARCHAR'],
      ['shop', 'VARCHAR'],
      ['at', 'TIMESTAMP'],
      ['known', 'TIMESTAMP'],
    ],
    ...[
      ['id', 'BIGINT'],
      ['se"conds', 'INTEGER'],
    ],
  ] as const),
  int96: new Set(['at', 'known']),
}
const file = (path: string) => ({ path, size: 1, modified: '' })
const groups = groupFiles(
  [
    file('/lake/visits/day=2026-11-19/shop=a/1.parquet'),
    file('/lake/visits/day=2026-11-20/shop=a/[2].parquet'),
    file("/lake/visits/day=2026-11-18/it's.parquet"),
  ],
  [full, full, old],
)
const key = ['123e4567-e89b-12d3-a456-426614174000', 'a'] as const

const cases: Readonly<Record<string, () => string>> = {
  'rows-of-two-forms.sql': () => viewRowsSql(view, groups),
  'rows-of-none.sql': () => viewRowsSql(view, []),
  'as-of-join.sql': () =>
    asOfJoinSql(view, 'select * from visits', [
      { key, asOf: t, knownAt: null },
      { key, asOf: t + 1, knownAt: t },
    ]).text,
  'as-of-join-without-row-ids.sql': () =>
    asOfJoinSql(bare, 'select * from visits', [{ key, asOf: t, knownAt: null }]).text,
  'stored-rows.sql': () =>
    storedRowsSql(
      view,
      'select * from visits',
      [
        { key, from: t, to: t + 9, knownAt: null, after: null },
        { key, from: t - 9, to: t, knownAt: t, after: null },
      ],
      { first: 10, now: t },
    ).text,
  'held-snapshots.sql': () => heldRowsSql(view, 'select * from visits', [t - 5, t]),
  'newest-rows.sql': () => newestRowsSql(view, 'select * from visits'),
}

it.each(Object.entries(cases))('the SQL of DuckDB is %s', async (name, text) => {
  await expectGolden(`parquet-rows/${name}`, `${text()}\n`)
})

it('has a case for every committed file', async () => {
  expect(await goldenFiles('parquet-rows')).toEqual(Object.keys(cases).sort())
})
