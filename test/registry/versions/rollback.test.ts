import type pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { entity } from '../../../src/definitions/entity.ts'
import { featureView } from '../../../src/definitions/featuregraph.ts'
import { BadUserInput } from '../../../src/errors.ts'
import { nextContent } from '../../../src/registry/versions/resolve-identities.ts'
import { rollBack, rolledBack } from '../../../src/registry/versions/rollback.ts'
import { registryOf, type VersionContent } from '../../../src/registry/versions/version-content.ts'
import { createTestDatabase, type TestDatabase } from '../../services/test-database.ts'
import { testPool } from '../../services/test-pool.ts'
import { applyWorld, customer, trips } from './apply-world.ts'

type Change = readonly unknown[] | { readonly backTo: number } | 'prune'

/** The last version's content, after definitions, rollbacks and prunes one after the other. */
function contentAfter(...changes: readonly Change[]): VersionContent {
  const versions: VersionContent[] = []
  for (const change of changes) versions.push(next(versions, change))
  const last = versions.at(-1)
  if (!last) throw new TypeError('at least one change')
  return last
}

function next(versions: readonly VersionContent[], change: Change): VersionContent {
  const current = versions.at(-1)
  if (change === 'prune' && current) return { ...current, retired: { entities: [], views: [], columns: {} } }
  if (typeof change === 'object' && 'backTo' in change) {
    const target = versions[change.backTo - 1]
    if (!current || !target) throw new TypeError('no such version')
    return rolledBack(target, [current, ...versions.slice(change.backTo, -1).reverse()])
  }
  if (typeof change === 'string') throw new TypeError('nothing to prune')
  return nextContent(
    current ?? null,
    change.map((value, index) => ({ path: `${index}`, value })),
  )
}

function viewOf(content: VersionContent, name: string) {
  const view = registryOf(content).views.find((one) => one.name === name)
  if (!view) throw new Error(`no view ${name}`)
  const columns = view.features.map((one) => [one.name, one.type, one.columns.map((column) => column.name)])
  return { id: view.id, columns }
}

const rides = (features: Parameters<typeof trips>[0], renamedFrom = 'trips') =>
  featureView('rides', { entity: customer, renamedFrom, features })

describe('a rolled back version', () => {
  it('has the features of then; what came since is retired and found again', () => {
    const one = [customer, trips({ n: 'int32' })]
    const two = [customer, trips({ n: 'int32', city: 'string' }), featureView('other', rest())]
    const back = contentAfter(one, two, { backTo: 1 })
    expect(viewOf(back, 'trips').columns).toEqual([['n', 'int32', ['n']]])
    expect(back.retired).toMatchObject({
      ...{ views: [{ id: 'other' }], columns: { trips: [{ name: 'city', type: 'string' }] } },
    })
    const again = contentAfter(one, two, { backTo: 1 }, two)
    expect(again.identities).toEqual(contentAfter(one, two).identities)
    expect(again.retired).toEqual({ entities: [], views: [], columns: {} })
  })

  it('brings removed features and views back with their columns', () => {
    const one = [customer, trips({ n: 'int32', city: 'string' }), featureView('other', rest())]
    const two = [customer, trips({ n: 'int32' })]
    const back = contentAfter(one, two, { backTo: 1 })
    expect(back.identities).toEqual(contentAfter(one).identities)
    expect(back.retired).toEqual({ entities: [], views: [], columns: {} })
  })

  it('keeps the wide column of a feature that is narrow again, also where it had been removed since', () => {
    const narrow = [customer, trips({ n: 'int32', m: 'int32' })]
    const wide = [customer, trips({ n: 'int64', m: 'int32' })]
    const without = [customer, trips({ m: 'int32' })]
    const columns = ['n', 'int32', ['n__int64', 'n']]
    expect(viewOf(contentAfter(narrow, wide, { backTo: 1 }), 'trips').columns[0]).toEqual(columns)
    expect(viewOf(contentAfter(narrow, wide, without, { backTo: 1 }), 'trips').columns[0]).toEqual(columns)
    const wideAgain = ['n', 'int64', ['n__int64', 'n']]
    expect(viewOf(contentAfter(narrow, wide, { backTo: 1 }, wide), 'trips').columns[0]).toEqual(wideAgain)
    const forth = contentAfter(without, narrow, wide, { backTo: 1 }, wide)
    expect(viewOf(forth, 'trips').columns[0]).toEqual(wideAgain)
    expect(forth.retired.columns).toEqual({})
  })

  it('has the names of before a rename, of what is stored under the first; the newer files find it too', () => {
    const client = entity('client', { joinKeys: { customer_id: 'int64' }, renamedFrom: 'customer' })
    const one = [customer, trips({ n: 'int32' })]
    const two = [
      client,
      featureView('rides', {
        ...{ entity: client, renamedFrom: 'trips' },
        features: { rides: { type: 'int32', renamedFrom: 'n' } },
      }),
    ]
    const back = contentAfter(one, two, { backTo: 1 })
    expect(back.identities).toEqual(contentAfter(one).identities)
    expect(back.retired).toEqual({ entities: [], views: [], columns: {} })
    expect(contentAfter(one, two, { backTo: 1 }, two).identities).toEqual(contentAfter(one, two).identities)
  })

  it('may be the one between two renames', () => {
    const journeys = featureView('journeys', {
      entity: customer,
      renamedFrom: 'rides',
      features: { n: 'int32' },
    })
    const [one, two, three] = [
      [customer, trips({ n: 'int32' })],
      [customer, rides({ n: 'int32' })],
      [customer, journeys],
    ]
    expect(viewOf(contentAfter(one, two, three, { backTo: 2 }), 'rides').id).toBe('trips')
    expect(viewOf(contentAfter(one, two, three, { backTo: 1 }, { backTo: 3 }), 'journeys').id).toBe('trips')
  })

  it('does not take what came under its names after they were pruned', () => {
    const device = entity('device', { joinKeys: { device_id: 'string' } })
    const one = [customer, trips({ n: 'int32' }), featureView('other', rest())]
    const without = [customer, featureView('other', rest())]
    const byDevice = featureView('trips', { entity: device, features: { n: 'int32' } })
    const otherKey = contentAfter(
      ...[one, without, 'prune' as const, [customer, device, byDevice, featureView('other', rest())]],
      { backTo: 1 },
    )
    expect(viewOf(otherKey, 'trips').id).toBe('trips_2')
    expect(otherKey.retired.views.map(({ id }) => id)).toEqual(['trips'])
    const other = featureView('other', { entity: customer, features: { count: 'string', more: 'bool' } })
    const less = featureView('other', { entity: customer, features: { more: 'bool' } })
    const withMore = featureView('other', { entity: customer, features: { count: 'int32', more: 'bool' } })
    const otherType = contentAfter([customer, withMore], [customer, less], 'prune', [customer, other], {
      backTo: 1,
    })
    expect(viewOf(otherType, 'other').columns[0]).toEqual(['count', 'int32', ['count_2']])
  })
})

describe('rollBack', () => {
  let database: TestDatabase
  let pool: pg.Pool
  beforeAll(async () => {
    database = await createTestDatabase()
    pool = testPool(database.url, 4, null)
  })
  afterAll(async () => {
    await pool.end()
    await database.drop()
  })

  it('makes a new version of the old definitions, keeps what is stored, and goes forth again', async () => {
    const { apply, targets, options, schema } = applyWorld(pool, 'back')
    const one = [customer, trips({ n: 'int64' })]
    const two = [customer, trips({ n: 'int64', city: 'string' })]
    await apply(one)
    await apply(two)
    await pool.query(
      `insert into ${schema}.trips (customer_id, event_timestamp, n, city) values (1, now(), 2, 'Bern')`,
    )
    const back = await rollBack(targets, 1, options)
    expect(back).toMatchObject({ version: 3, digest: (await targets.versions.read(1))?.digest })
    expect(back.registry.views[0]?.features.map(({ name }) => name)).toEqual(['n'])
    expect(await targets.versions.read(3)).toMatchObject({ message: 'rollback to version 1' })
    const forth = await rollBack(targets, 2, { ...options, message: 'it was not that' })
    expect(forth).toMatchObject({ version: 4, digest: (await targets.versions.read(2))?.digest })
    expect(await targets.versions.read(4)).toMatchObject({ message: 'it was not that' })
    expect((await pool.query(`select city from ${schema}.trips`)).rows).toEqual([{ city: 'Bern' }])
    expect((await apply(two)).version).toBe(4)
  })

  it('goes back before a rename and a widening, in the same table, and forth', async () => {
    const { apply, targets, options, schema, stands } = applyWorld(pool, 'renamed')
    await apply([customer, trips({ n: 'int32' })])
    await pool.query(`insert into ${schema}.trips (customer_id, event_timestamp, n) values (1, now(), 5)`)
    const two = [customer, rides({ count: { type: 'int64', renamedFrom: 'n' } })]
    await apply(two)
    const { columns } = await stands()
    const held = columns.filter((one) => /\.(?:n|n__\w+|count)$/.test(one))
    expect(held).toEqual(['trips.n', 'trips.n__int64'])
    const back = await rollBack(targets, 1, options)
    expect(back.registry.views[0]).toMatchObject({ name: 'trips', id: 'trips' })
    expect(back.registry.views[0]?.features[0]).toMatchObject({
      ...{ name: 'n', type: 'int32', columns: [{ name: 'n__int64' }, { name: 'n' }] },
    })
    expect((await stands()).columns).toEqual(columns)
    expect((await apply(two)).registry.views[0]).toMatchObject({ name: 'rides', id: 'trips' })
    expect((await stands()).columns).toEqual(columns)
  })

  it('to what is current is no change, and to what there is not names what there is', async () => {
    const { apply, targets, options } = applyWorld(pool, 'none')
    const unknown = async () =>
      await rollBack(targets, 7, options).catch((error: unknown) => {
        if (error instanceof BadUserInput) return error.message
        throw error
      })
    expect(await unknown()).toBe('there is no version 7; nothing has been applied yet')
    await apply([customer])
    expect(await unknown()).toBe('there is no version 7; there is version 1')
    expect((await rollBack(targets, 1, options)).version).toBe(1)
    await apply([customer, trips({ n: 'int64' })])
    expect(await unknown()).toBe('there is no version 7; there are versions 1 to 2')
  })
})

function rest() {
  return { entity: customer, features: { count: 'int32' as const } }
}
