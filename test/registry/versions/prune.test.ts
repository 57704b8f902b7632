import type pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { retirementText } from '../../../src/cli/prune.ts'
import { featureView } from '../../../src/definitions/featuregraph.ts'
import { ApplyRefused } from '../../../src/errors.ts'
import { prune, retirementOf } from '../../../src/registry/versions/prune.ts'
import { rollBack } from '../../../src/registry/versions/rollback.ts'
import { createTestDatabase, type TestDatabase } from '../../services/test-database.ts'
import { testPool } from '../../services/test-pool.ts'
import { applyWorld, customer, trips } from './apply-world.ts'

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

const old = featureView('old_trips', { entity: customer, features: { n: 'int64' } })

/** A project with 3 rows of a view, of which 2 have a value of a feature that is removed, and 2 of a view that is. */
async function retiredWorld(project: string) {
  const world = applyWorld(pool, project)
  const { apply, schema } = world
  await apply([customer, old, trips({ n: 'int64', fee: 'float64', tip: 'float64' })])
  await pool.query(
    `insert into ${schema}.trips (customer_id, event_timestamp, n, fee) select i, now(), i, nullif(i, 3) from generate_series(1, 3) as i;
     insert into ${schema}.old_trips (customer_id, event_timestamp, n) select i, now(), i from generate_series(1, 2) as i;
     insert into featuregraph.views (project, id, name) values ('${project}', 'old_trips', 'old_trips');
     insert into featuregraph.snapshots values ('${project}', 'old_trips', now(), pg_current_xact_id(), 'here', 'd', now())`,
  )
  await apply([customer, trips({ n: 'int64' })])
  return world
}

describe('prune', () => {
  it('names what it would drop with row counts, and drops it and nothing else', async () => {
    const { targets, options, schema, stands } = await retiredWorld('a')
    const before = await stands()
    const found = await retirementOf(targets)
    if (!found) throw new Error('something is retired')
    expect(retirementText(found).replaceAll(/ {2,}/g, '  ')).toBe(
      [
        'retired in version 2:\n',
        'WHAT  OF  HOLDS',
        'table "features_a"."old_trips"  removed feature view "old_trips"  2 rows',
        'column "fee" of "features_a"."trips"  removed from feature view "trips"  2 values',
        'column "tip" of "features_a"."trips"  removed from feature view "trips"  0 values\n',
      ].join('\n'),
    )
    expect(await stands()).toEqual(before)
    const pruned = await prune(targets, options)
    expect(pruned).toMatchObject({
      version: 3,
      content: { retired: { entities: [], views: [], columns: {} } },
    })
    expect((await targets.versions.read(3))?.changes).toEqual([
      'table "features_a"."old_trips", removed feature view "old_trips": dropped, 2 rows',
      'column "fee" of "features_a"."trips", removed from feature view "trips": dropped, 2 values',
      'column "tip" of "features_a"."trips", removed from feature view "trips": dropped, 0 values',
    ])
    const after = await stands()
    expect(after.columns).toEqual(
      before.columns.filter((one) => !/^old_trips\.|^trips\.(?:fee|tip)$/.test(one)),
    )
    // An index that carried the dropped columns goes with them; the view has one without them.
    const carried = await pool.query<{ indexdef: string }>(
      `select indexdef from pg_indexes where indexname like 'trips_as_of%' and schemaname = '${schema}'`,
    )
    expect(carried.rows.map(({ indexdef }) => /INCLUDE .*$/.exec(indexdef)?.[0])).toEqual(['INCLUDE (n)'])
    expect((await pool.query(`select from ${schema}.trips`)).rows).toHaveLength(3)
    const recorded = await pool.query(`select from featuregraph.snapshots where project = 'a'`)
    expect(recorded.rows).toHaveLength(0)
    // A view of the name that comes again is written under other keys online; those of before are removed.
    const { rows } = await pool.query(
      `select generation, (select count(*)::int from featuregraph.online_leftovers where project = 'a') as leftovers
       from featuregraph.online_views where project = 'a'`,
    )
    expect(rows).toEqual([{ generation: 1, leftovers: 1 }])
    expect(await retirementOf(targets)).toBeNull()
    expect((await prune(targets, options))?.version).toBe(3)
    const back = await rollBack(targets, 1, options)
    expect(back.version).toBe(4)
    expect((await pool.query(`select fee from ${schema}.trips`)).rows).toEqual([
      ...[{ fee: null }, { fee: null }, { fee: null }],
    ])
  })

  it('that is killed half way is finished by the next, which drops the rest', async () => {
    const { targets, options, stands, expireLease } = await retiredWorld('b')
    const killed = {
      ...targets,
      tables: {
        ...targets.tables,
        make: async (...[step, report]: Parameters<typeof targets.tables.make>) => {
          await targets.tables.make(step, report)
          if (step.kind === 'DROP_TABLE') throw new Error('killed')
        },
      },
      applies: { ...targets.applies, release: async () => {} },
    }
    await expect(prune(killed, options)).rejects.toThrow('killed')
    expect(await targets.versions.newest()).toBe(2)
    await expireLease()
    expect((await prune(targets, options))?.version).toBe(3)
    const { columns } = await stands()
    expect(columns.filter((one) => /^old_trips\.|^trips\.(?:fee|tip)$/.test(one))).toEqual([])
  })

  it('refuses what something of the user depends on, and names it', async () => {
    const { targets, options, schema } = await retiredWorld('c')
    await pool.query(`create view ${schema}.report as select fee from ${schema}.trips`)
    const error = await prune(targets, options).catch((reason: unknown) => reason)
    expect(error).toBeInstanceOf(ApplyRefused)
    expect(String(error)).toMatch(/cannot be dropped.*depend/)
    expect(await targets.versions.newest()).toBe(2)
  })
})
