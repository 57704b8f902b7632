import { entity, featureView } from 'featuregraph'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { acceptRow } from '../../src/ingest/accept/accept-row.ts'
import { validate } from '../../src/quality/validate-view.ts'
import { buildRegistry } from '../../src/registry/build-registry.ts'
import type { OfflineStore } from '../../src/stores/offline-store.ts'
import { day, hour, now, row, viewNamed } from '../graph/run-operation.ts'
import { memoryOfflineStore } from '../oracle/memory-offline-store.ts'
import { memoryRunStore } from '../oracle/memory-run-store.ts'
import { memoryViolationStore } from '../oracle/memory-violation-store.ts'
import { createTestDatabase } from '../services/test-database.ts'
import { testOfflineStore } from '../services/test-pool.ts'

const person = entity('person', { joinKeys: { person_id: 'int64' } })
const definitions = [
  person,
  featureView('spending', {
    entity: person,
    features: { total: 'float64', free: 'int32' },
    expect: { total: { max: 10, notNull: true, action: 'reject' } },
  }),
]
const registry = buildRegistry(definitions.map((value, index) => ({ path: `definition ${index}`, value })))
const view = viewNamed(registry, 'spending')

const backends: Readonly<
  Record<string, () => Promise<{ offline: OfflineStore; drop: () => Promise<void> }>>
> = {
  memory: async () => ({ offline: memoryOfflineStore(), drop: async () => {} }),
  Postgres: async () => {
    const database = await createTestDatabase()
    const offline = testOfflineStore(database.url)
    return {
      offline,
      drop: async () => {
        await offline.close()
        await database.drop()
      },
    }
  },
}

describe.each(Object.entries(backends))('validate over %s', (_, open) => {
  let offline: OfflineStore
  let drop: () => Promise<void>
  beforeAll(async () => {
    ;({ offline, drop } = await open())
    await offline.ensureTables([view], [])
    const rows = [
      row({ person_id: 1 }, now - 2 * day, { total: 99 }),
      row({ person_id: 1 }, now - hour, { total: 5 }),
      row({ person_id: 2 }, now - 2 * day, { total: 11 }),
      row({ person_id: 3 }, now - hour, { total: null }),
      row({ person_id: 4 }, now - hour, { total: 12 }),
    ]
    await offline.insertRows(
      view,
      rows.map((offered) => acceptRow(view, offered)),
    )
  })
  afterAll(() => drop())

  it('checks the newest row of each key, counts by feature and rule, records each and changes no row', async () => {
    const violations = memoryViolationStore()
    const runs = memoryRunStore()
    const targets = { offline, runs, violations, clock: () => now }
    const options = { since: null, onWait: () => {}, onProgress: () => {} }
    const result = await validate(targets, view, options)
    expect(result.read).toBe(4)
    expect([...result.broken].sort((a, b) => (a.rule < b.rule ? -1 : 1))).toEqual([
      { feature: 'total', rule: 'MAX', rows: 2 },
      { feature: 'total', rule: 'NOT_NULL', rows: 1 },
    ])
    const reported = await violations.page({ view: 'spending', since: null, after: null, first: 100 })
    expect(reported.map(({ key, message }) => `${key.join()}: ${message}`).sort()).toEqual([
      '2: Value 11 above maximum 10',
      '3: Value is null',
      '4: Value 12 above maximum 10',
    ])
    expect((await validate(targets, view, options)).read).toBe(4)
    const page = await runs.runs({ kind: 'VALIDATE', view: null, since: null, after: null, first: 10 })
    expect(page.map(({ state, rowsRead, rowsWritten }) => [state, rowsRead, rowsWritten])).toEqual([
      ['SUCCEEDED', 4, 3],
      ['SUCCEEDED', 4, 3],
    ])
  })

  it('leaves out rows from before --since', async () => {
    const targets = { offline, runs: memoryRunStore(), violations: memoryViolationStore(), clock: () => now }
    const options = { since: now - day, onWait: () => {}, onProgress: () => {} }
    expect((await validate(targets, view, options)).read).toBe(3)
  })
})
