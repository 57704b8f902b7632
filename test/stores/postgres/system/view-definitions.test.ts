import { batch, count, entity, eventSource, windowedView } from 'featuregraph'
import type pg from 'pg'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { openRowLayouts } from '../../../../src/online/row-layouts.ts'
import { buildRegistry } from '../../../../src/registry/build-registry.ts'
import { undigestedDefinition } from '../../../../src/registry/undigested-definition.ts'
import { rowLayout } from '../../../../src/stores/online-value/packed-row.ts'
import { postgresRegistryStore } from '../../../../src/stores/postgres/system/registry-store.ts'
import { postgresSnapshotStore } from '../../../../src/stores/postgres/windows/snapshot-store.ts'
import { wholeGuardRecord } from '../../../oracle/memory-guard-record.ts'
import { createTestDatabase, type TestDatabase } from '../../../services/test-database.ts'
import { testPool } from '../../../services/test-pool.ts'

let database: TestDatabase
let pool: pg.Pool
beforeAll(async () => {
  database = await createTestDatabase()
  pool = testPool(database.url, 2)
})
afterAll(async () => {
  await pool?.end()
  await database?.drop()
})
beforeEach(async () => {
  await pool.query('truncate featuregraph.views cascade')
})

function registryOf(window: '7d' | '14d') {
  const customer = entity('customer', { joinKeys: { customer_id: 'int64' } })
  const sales = eventSource('sales', { eventTimestamp: 'at', fields: { customer_id: 'int64' } })
  const daily = windowedView('daily', {
    ...{ entity: customer, source: sales, compute: batch({ every: '1d' }) },
    features: { n: count(window) },
  })
  const registry = buildRegistry([customer, sales, daily].map((value) => ({ path: 'here', value })))
  const [view] = registry.views
  if (view?.kind !== 'BATCH') throw new Error('no batch view')
  return { registry, view }
}

const oldFingerprint = rowLayout('default', 'daily', [{ name: 'n', type: 'int64' }]).fingerprint

/** What a version before definitions were recorded had left of `daily`: a snapshot, a layout and a watermark. */
async function leaveOld(window: '7d' | '14d'): Promise<void> {
  await pool.query(`insert into featuregraph.views (project, id, name) values ('default', 'daily', 'daily')`)
  await pool.query(
    `insert into featuregraph.snapshots (project, view_id, as_of, snapshot_xmin, system_identifier, definition, computed_at)
     values ('default', 'daily', '2026-11-20T00:00:00Z', '1', '', $1, now())`,
    [undigestedDefinition(registryOf(window).view)],
  )
  await pool.query(
    `insert into featuregraph.row_layouts (fingerprint, project, view_id, layout) values ($1, 'default', 'daily', $2)`,
    [oldFingerprint, JSON.stringify([{ name: 'n', type: 'int64' }])],
  )
  await pool.query(
    `insert into featuregraph.watermarks (project, view_id, snapshot_xmin, carried_until, system_identifier, marker)
     values ('default', 'daily', '1', now(), '', '')`,
  )
}

async function openedBy(window: '7d' | '14d') {
  const { registry, view } = registryOf(window)
  const { history } = await openRowLayouts(
    'default',
    registry,
    postgresRegistryStore(pool, 'default'),
    wholeGuardRecord(),
  )
  const snapshots = await postgresSnapshotStore(pool, 'default').recorded(view, {
    reachMicros: 0,
    since: null,
  })
  const { rows } = await pool.query('select definition from featuregraph.watermarks')
  return {
    view,
    digests: history.find(oldFingerprint)?.digests ?? null,
    lacking: snapshots.map((one) => one.lacking),
    materialized: rows[0]?.definition,
  }
}

describe('what was stored before definitions were recorded', () => {
  it('is taken as of the definition that comes first, where its newest snapshot is, and stays so', async () => {
    await leaveOld('7d')
    const first = await openedBy('7d')
    expect(first).toMatchObject({
      digests: first.view.digests,
      lacking: [[]],
      materialized: first.view.definition,
    })
    const changed = await openedBy('14d')
    expect(changed).toMatchObject({ digests: first.view.digests, lacking: [null] })
    expect(changed.materialized).toBe(first.view.definition)
    expect(await openedBy('7d')).toEqual(first)
  })

  it('is of an unknown definition where its newest snapshot was computed by another', async () => {
    await leaveOld('7d')
    expect(await openedBy('14d')).toMatchObject({ digests: null, lacking: [null], materialized: '' })
  })
})
