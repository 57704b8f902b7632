import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Decimal, decimalText, scaledOf } from '../../../src/definitions/decimal.ts'
import type { FeatureRow, Value } from '../../../src/definitions/value.ts'
import {
  type DecimalType,
  decimalDigits,
  elementType,
  isDecimal,
  type ScalarType,
  type ValueType,
  valueTypes,
} from '../../../src/definitions/value-type.ts'
import type { StoredOfflineView } from '../../../src/stores/offline-view.ts'
import { arbitraryString, arbitraryValue } from '../../contract/arbitrary-value.ts'
import { at, offlineView } from '../../contract/offline-store.ts'
import { type ExportWorld, exportWorld, shown } from './export-world.ts'

const noon = at('2026-11-20T12:00:00Z')
const day = 86_400_000_000

let world: ExportWorld
beforeAll(async () => {
  world = await exportWorld()
})
afterAll(() => world.close())

async function viewOf(name: string, features: Parameters<typeof offlineView>[2]): Promise<StoredOfflineView> {
  const view = offlineView(name, { id: 'int64', shop: 'string' }, features)
  await world.offline.ensureTables([view], [])
  return view
}

async function storedRows(view: StoredOfflineView): Promise<readonly string[]> {
  const { rows } = await world.pool.query<{ line: string }>(
    `select id || ' ' || n || ' ' || row_id || ' ' || (event_timestamp at time zone 'UTC') as line from features."${view.name}"`,
  )
  return rows.map(({ line }) => line).toSorted()
}

async function exportedRows(path: string): Promise<readonly string[]> {
  const rows = await world.read(
    path,
    `select id || ' ' || n || ' ' || row_id || ' ' || (event_timestamp at time zone 'UTC')::VARCHAR from rows`,
  )
  return rows.map(([line]) => String(line)).toSorted()
}

/** A decimal with all the digits behind its point. */
function withDigits(type: ValueType, value: Value | null): Value | null {
  if (value === null || elementType(type) !== null || !isDecimal(type as ScalarType)) return value
  const digits = decimalDigits(type as DecimalType)
  return decimalText(scaledOf(value as Decimal, digits), digits)
}

function numbered(id: number, n: number, eventTimestamp = noon): FeatureRow {
  return { key: [id, 'a'], eventTimestamp, createdTimestamp: eventTimestamp, values: [n] }
}

describe('the export of feature rows', () => {
  it('has every row with its values, of every type, nulls, times before 1970 and microseconds', async () => {
    const types = valueTypes.filter((type) => type !== 'uuid')
    const features = Object.fromEntries(types.map((type, index) => [`f${index}`, type]))
    const view = await viewOf('all_types', features)
    const value = (type: (typeof types)[number]) => fc.option(arbitraryValue(type), { nil: null, freq: 6 })
    const arbitraryRow = fc.record({
      key: fc.tuple(fc.maxSafeInteger(), arbitraryString),
      eventTimestamp: fc.oneof(
        fc.integer({ min: -day, max: day }),
        fc.integer({ min: noon - day, max: noon }),
      ),
      createdTimestamp: fc.option(fc.integer({ min: 0, max: noon }), { nil: null }),
      values: fc.tuple(...types.map(value)),
    })
    const rows: FeatureRow[] = [
      ...fc.sample(arbitraryRow, { numRuns: 150, seed: 14 }),
      {
        key: [1, `it's "quoted"\u2028and more`],
        eventTimestamp: -1,
        createdTimestamp: null,
        values: types.map(() => null),
      },
    ]
    const { rowIds } = await world.offline.insertRows(view, rows)
    const path = world.newFolder()
    const exported = await world.exportTo(path, { kind: 'ROWS', view })
    expect(exported.rows).toBe(rows.length)
    const expected = rows.map((row, index) => {
      const values = row.values.map((value, place) => withDigits(types[place] ?? 'string', value))
      return shown([...row.key, ...values, row.eventTimestamp, row.createdTimestamp, rowIds[index], false])
    })
    const columns = [
      'id',
      'shop',
      ...Object.keys(features),
      'event_timestamp',
      'created_timestamp',
      'row_id',
      'closing',
    ]
    const found = await world.read(path, `select ${columns.join(', ')} from rows order by row_id`)
    expect(found).toEqual(expected)
    const misfiled = await world.read(
      path,
      `from rows where day <> (event_timestamp at time zone 'UTC')::DATE::VARCHAR`,
    )
    expect(misfiled).toEqual([])
  })

  it('appends what has arrived since, also late rows, and leaves the files of before', async () => {
    const view = await viewOf('growing', { n: 'int64' })
    const path = world.newFolder()
    await world.offline.insertRows(view, [numbered(1, 1), numbered(2, 2, noon + day)])
    await world.exportTo(path, { kind: 'ROWS', view })
    const before = await world.files(path)
    await world.offline.insertRows(view, [numbered(1, 3, noon - 9 * day), numbered(2, 4)])
    const second = await world.exportTo(path, { kind: 'ROWS', view })
    expect(second.rows).toBe(2)
    expect(await exportedRows(path)).toEqual(await storedRows(view))
    expect(await world.files(path)).toEqual(expect.arrayContaining([...before]))
    expect((await world.exportTo(path, { kind: 'ROWS', view })).rows).toBe(0)
    expect(await exportedRows(path)).toEqual(await storedRows(view))
  })

  it('has what a transaction wrote that was under way during the run before', async () => {
    const view = await viewOf('under_way', { n: 'int64' })
    await world.offline.insertRows(view, [numbered(1, 1)])
    const path = world.newFolder()
    const client = await world.pool.connect()
    try {
      await client.query('begin')
      await client.query(
        `insert into features.under_way (id, shop, event_timestamp, n) values (9, 'a', '2026-11-20T12:00:00Z', 9)`,
      )
      await world.offline.insertRows(view, [numbered(2, 2)])
      expect((await world.exportTo(path, { kind: 'ROWS', view })).rows).toBe(2)
      await client.query('commit')
    } finally {
      client.release()
    }
    expect((await world.exportTo(path, { kind: 'ROWS', view })).rows).toBe(1)
    expect(await exportedRows(path)).toEqual(await storedRows(view))
  })

  it('rewrites the days that have rows of a deleted entity, and no other', async () => {
    const view = await viewOf('erased', { n: 'int64' })
    await world.offline.insertRows(view, [
      ...[numbered(101, 1), numbered(2, 2), numbered(3, 3, noon + day), numbered(101, 4, noon + 2 * day)],
    ])
    const path = world.newFolder()
    await world.exportTo(path, { kind: 'ROWS', view })
    const before = await world.files(path)
    await world.erase({ id: 'int64' }, [101], { views: [{ ...view, online: false }] })
    await world.offline.insertRows(view, [numbered(4, 5)])
    await world.exportTo(path, { kind: 'ROWS', view })
    expect(await exportedRows(path)).toEqual(await storedRows(view))
    const after = await world.files(path)
    const days = after.map((file) => file.split('/')[0]).filter((name) => name?.startsWith('day='))
    expect(days).toEqual(['day=2026-11-20', 'day=2026-11-21'])
    expect(after.filter((file) => file.startsWith('day=2026-11-21'))).toEqual(
      before.filter((file) => file.startsWith('day=2026-11-21')),
    )
  })

  it('leaves out the rows of an entity whose deletion is recorded and not erased yet, also of the files of before', async () => {
    const view = await viewOf('pending', { n: 'int64' })
    const ahead = at('2027-11-20T12:00:00Z')
    await world.offline.insertRows(view, [
      ...[numbered(61, 1), { ...numbered(2, 2), createdTimestamp: null }],
      ...[numbered(61, 3, noon + day), numbered(3, 4, noon + day)],
      // Dated ahead, and known before the deletion; and one that comes after it.
      ...[{ ...numbered(61, 5, ahead), createdTimestamp: noon }, numbered(61, 6, ahead)],
    ])
    const [before, fresh] = [world.newFolder(), world.newFolder()]
    await world.exportTo(before, { kind: 'ROWS', view })
    const erase = await world.recordDeletion({ id: 'int64' }, [61], { views: [{ ...view, online: false }] })
    for (const path of [before, fresh]) {
      await world.exportTo(path, { kind: 'ROWS', view })
      expect((await exportedRows(path)).map((line) => line.split(' ')[1])).toEqual(['2', '4', '6'])
    }
    await erase()
    for (const path of [before, fresh]) {
      await world.exportTo(path, { kind: 'ROWS', view })
      expect(await exportedRows(path)).toEqual(await storedRows(view))
    }
  })

  it('goes on where a run was killed, as of the moment that it had begun, and then with what came since', async () => {
    const view = await viewOf('killed', { n: 'int64' })
    await world.offline.insertRows(view, [numbered(1, 1), numbered(2, 2, noon + day)])
    const path = world.newFolder()
    const rowsToExport: typeof world.stores.rowsToExport = {
      open: async (...call) => {
        const reading = await world.stores.rowsToExport.open(...call)
        return {
          ...reading,
          async *rows(part) {
            for await (const batch of reading.rows(part)) {
              yield batch
              throw new Error('killed')
            }
          },
        }
      },
    }
    await expect(world.exportTo(path, { kind: 'ROWS', view }, {}, { rowsToExport })).rejects.toThrow('killed')
    expect((await world.files(path)).filter((file) => !file.startsWith('_'))).toEqual([])
    expect(await world.files(path)).not.toContain('_SUCCESS')
    await world.offline.insertRows(view, [numbered(3, 3)])
    const next = await world.exportTo(path, { kind: 'ROWS', view })
    expect(next.rows).toBe(3)
    expect(await exportedRows(path)).toEqual(await storedRows(view))
    expect(await world.files(path)).toContain('_SUCCESS')
  })

  it('leaves whole files alone where the disk is full, and goes on once there is room', async () => {
    const view = await viewOf('full_disk', { n: 'int64' })
    await world.offline.insertRows(view, [numbered(1, 1), numbered(2, 2, noon + day)])
    const path = world.newFolder()
    const openFolder: typeof world.stores.openFolder = (given) => {
      const folder = world.stores.openFolder(given)
      const publish = async (staged: string, file: string): Promise<void> => {
        if (file.startsWith('day=2026-11-21'))
          throw Object.assign(new Error('ENOSPC: no space left on device, rename'), { code: 'ENOSPC' })
        await folder.publish(staged, file)
      }
      return { ...folder, publish }
    }
    await expect(world.exportTo(path, { kind: 'ROWS', view }, {}, { openFolder })).rejects.toMatchObject({
      code: 'STORAGE_FULL',
      message: expect.stringContaining('the same command goes on with them once there is room'),
    })
    const left = await world.files(path)
    expect(left.filter((file) => !/^(_export\.json|day=.*\.parquet)$/.test(file))).toEqual([])
    expect((await world.exportTo(path, { kind: 'ROWS', view })).rows).toBe(2)
    expect(await exportedRows(path)).toEqual(await storedRows(view))
  })

  it('has a column that is called as the folders of days are', async () => {
    const view = await viewOf('with_day', { day: 'string' })
    await world.offline.insertRows(view, [{ ...numbered(1, 0), values: ['monday'] }])
    const path = world.newFolder()
    await world.exportTo(path, { kind: 'ROWS', view })
    expect(await world.read(path, 'select day, _day from rows')).toEqual([['monday', '2026-11-20']])
    expect((await world.exportTo(path, { kind: 'ROWS', view })).parts).toHaveLength(1)
    expect(await world.read(path, 'select count(*) from rows')).toEqual([['1']])
  })

  it('exports a range, widens it, and refuses a narrower one', async () => {
    const view = await viewOf('ranged', { n: 'int64' })
    await world.offline.insertRows(
      view,
      [-2, -1, 0, 1, 2].map((days) => numbered(days + 10, days, noon + days * day)),
    )
    const path = world.newFolder()
    const subject = { kind: 'ROWS', view } as const
    const first = await world.exportTo(path, subject, { from: noon - day, to: noon + day })
    expect(first.rows).toBe(2)
    expect((await world.exportTo(path, subject, { from: noon - day, to: noon + 2 * day })).rows).toBe(1)
    expect(await world.read(path, 'select n from rows order by n')).toEqual([['-1'], ['0'], ['1']])
    await expect(world.exportTo(path, subject, { from: noon })).rejects.toThrow(
      'holds more than is asked for: from 2026-11-19T12:00:00.000000Z to 2026-11-22T12:00:00.000000Z; leave --from and --to out, or export into another folder, or with --rebuild',
    )
    expect((await world.exportTo(path, subject, { rebuild: true })).rows).toBe(5)
    expect(await exportedRows(path)).toEqual(await storedRows(view))
  })

  it('leaves out of a mapped table what has no key, no time, or was deleted, and reads all of it each time', async () => {
    await world.pool.query(`create schema bank; create table bank.scores (who bigint, "where" text, at timestamptz, score float8);
      insert into bank.scores values (1, 'a', '2026-11-20Z', 1.5), (null, 'a', '2026-11-20Z', 2), (2, 'a', 'infinity', 3),
        (3, 'a', '2026-11-21Z', 'NaN'), (104, 'a', '2026-11-21Z', 4)`)
    const view = offlineView(
      'scores',
      { id: 'int64', shop: 'string' },
      { score: 'float64' },
      {
        ...{ kind: 'postgres', name: 'scores', table: 'bank.scores', eventTimestamp: 'at' },
        columns: { id: 'who', shop: 'where' },
      },
    )
    const path = world.newFolder()
    await world.exportTo(path, { kind: 'ROWS', view })
    const rows = 'select id, score, created_timestamp, row_id from rows order by id'
    expect(await world.read(path, rows)).toEqual([
      ['1', '1.5', null, null],
      ['3', null, null, null],
      ['104', '4', null, null],
    ])
    await world.erase({ id: 'int64' }, [104], { views: [{ ...view, online: false }] })
    await world.pool.query('update bank.scores set score = 7 where who = 1')
    await world.exportTo(path, { kind: 'ROWS', view })
    expect((await world.read(path, rows)).map(([id, score]) => [id, score])).toEqual([
      ['1', '7'],
      ['3', null],
    ])
  })
})

describe('the folder of an export', () => {
  it('is refused where it has files and is no export', async () => {
    const view = await viewOf('other_files', { n: 'int64' })
    const other = await viewOf('another', { n: 'int64' })
    await world.offline.insertRows(view, [numbered(1, 1)])
    const path = world.newFolder()
    await world.exportTo(path, { kind: 'ROWS', view })
    await expect(world.exportTo(path, { kind: 'ROWS', view: other })).rejects.toThrow(
      'holds the rows of view "other_files" of project "default"; expected a folder of its own for "another"',
    )
    await expect(world.exportTo(`${path}/day=2026-11-20`, { kind: 'ROWS', view })).rejects.toThrow(
      'is no export: it has files (part-',
    )
  })

  it('is refused where its columns, or what they mean, are others now', async () => {
    const view = await viewOf('redefined', { n: 'int32' })
    await world.offline.insertRows(view, [numbered(1, 1)])
    const path = world.newFolder()
    await world.exportTo(path, { kind: 'ROWS', view }, { definition: 'a' })
    const wider = offlineView('redefined', { id: 'int64', shop: 'string' }, { n: 'int64', m: 'bool' })
    await expect(world.exportTo(path, { kind: 'ROWS', view: wider })).rejects.toMatchObject({
      code: 'OTHER_DEFINITIONS',
      message: expect.stringContaining('m is new; n is int64 now, and was int32; export into another folder'),
    })
    await expect(world.exportTo(path, { kind: 'ROWS', view }, { definition: 'b' })).rejects.toThrow(
      'its features mean something else now',
    )
  })

  it('is refused where it came from another database', async () => {
    const view = await viewOf('moved', { n: 'int64' })
    const path = world.newFolder()
    await world.exportTo(path, { kind: 'ROWS', view })
    const changes = {
      ...world.stores.changes,
      identity: async () => ({ systemIdentifier: '1', id: 'other' }),
    }
    await expect(world.exportTo(path, { kind: 'ROWS', view }, {}, { changes })).rejects.toMatchObject({
      code: 'OTHER_DATABASE',
    })
  })

  it('has two runs of a view at once one after the other', async () => {
    const view = await viewOf('twice', { n: 'int64' })
    await world.offline.insertRows(view, [numbered(1, 1), numbered(2, 2)])
    const path = world.newFolder()
    const both = await Promise.all([1, 2].map(() => world.exportTo(path, { kind: 'ROWS', view })))
    expect(both.map(({ rows }) => rows).toSorted()).toEqual([0, 2])
    expect(await exportedRows(path)).toEqual(await storedRows(view))
  })
})
