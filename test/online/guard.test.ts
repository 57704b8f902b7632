import fc from 'fast-check'
import { count, entity, eventSource, featureView, stream, windowedView } from 'featuregraph'
import { describe, expect, it } from 'vitest'
import { type OnlinePlace, onlineGuard } from '../../src/online/guard.ts'
import { liveTiles } from '../../src/online/live-tiles.ts'
import { openRowLayouts } from '../../src/online/row-layouts.ts'
import { buildRegistry } from '../../src/registry/build-registry.ts'
import type { FeatureView } from '../../src/registry/registry.ts'
import type { RecordedGuard } from '../../src/stores/guard-record.ts'
import { guardText } from '../../src/stores/online-value/guard-text.ts'
import type { TileGeneration } from '../../src/stores/tile-generations.ts'
import { memoryRegistryStore } from '../graph/run-operation.ts'
import { wholeGuardRecord } from '../oracle/memory-guard-record.ts'

const customer = entity('customer', { joinKeys: { id: 'int64' } })
const payments = eventSource('payments', { eventTimestamp: 'at', fields: { id: 'int64' } })
const registry = buildRegistry(
  [
    customer,
    payments,
    featureView('profile', { entity: customer, online: true, features: { score: 'float64' } }),
    windowedView('recent', {
      entity: customer,
      source: payments,
      online: true,
      compute: stream(),
      features: { n: count('1h') },
    }),
  ].map((value) => ({ path: 'here', value })),
)
const viewOf = (name: string): FeatureView => {
  const view = registry.views.find((one) => one.name === name)
  if (!view) throw new Error(`no view ${name}`)
  return view
}
const profile = viewOf('profile')
const recent = viewOf('recent')
const empty: RecordedGuard = {
  ...{ epoch: 0, check: 0, fills: [], generations: new Map(), filledOnce: new Set() },
}
const filled = (epoch: number, ...fills: readonly (readonly [epoch: number, generation: number])[]) => ({
  ...empty,
  epoch,
  fills: fills.map(([of, generation]) => ({ epoch: of, viewId: 'profile', generation })),
  filledOnce: new Set(['profile']),
})
const reading = (connection: number, epoch: number, tick: number) => ({
  guard: guardText({ epoch, tick }),
  connection,
})

async function makeGuard() {
  const layouts = await openRowLayouts('test', registry, memoryRegistryStore(), wholeGuardRecord())
  const said = { record: empty, tiles: [] as TileGeneration[] }
  const tiles = liveTiles(layouts, registry.views, { list: async () => said.tiles })
  const guard = onlineGuard(layouts, registry.views, { record: { read: async () => said.record }, tiles })
  return { guard, said, layouts }
}

const place = (found: OnlinePlace | string): OnlinePlace => {
  if (typeof found === 'string') throw new Error(`no place: ${found}`)
  return found
}

describe('the guard of online reads', () => {
  it('believes a connection once the guard has moved on since it was first read there', async () => {
    const { guard } = await makeGuard()
    expect(guard.epochOf(reading(1, 3, 10))).toBe('UNVERIFIED')
    expect(guard.epochOf(reading(1, 3, 10))).toBe('UNVERIFIED')
    expect(guard.epochOf(reading(1, 3, 11))).toBe(3)
    // A connection that was remade: the store may be another, or an older one.
    expect(guard.epochOf(reading(2, 3, 11))).toBe('UNVERIFIED')
    expect(guard.epochOf(reading(2, 3, 12))).toBe(3)
  })

  it('doubts a connection on which the guard moves back, until it moves on again', async () => {
    const { guard } = await makeGuard()
    guard.epochOf(reading(1, 3, 10))
    expect(guard.epochOf(reading(1, 3, 20))).toBe(3)
    expect(guard.epochOf(reading(1, 3, 15))).toBe('UNVERIFIED')
    expect(guard.epochOf(reading(1, 3, 16))).toBe(3)
  })

  it('calls a store without a guard lost, and believes the next guard that is written there', async () => {
    const { guard } = await makeGuard()
    guard.epochOf(reading(1, 3, 10))
    expect(guard.epochOf(reading(1, 3, 11))).toBe(3)
    expect(guard.epochOf({ guard: null, connection: 1 })).toBe('LOST')
    expect(guard.epochOf({ guard: 'what is this', connection: 1 })).toBe('LOST')
    expect(guard.epochOf(reading(1, 4, 12))).toBe(4)
  })

  it('needs no second reading where a store loses everything or nothing', async () => {
    const { guard } = await makeGuard()
    expect(guard.epochOf(reading(0, 3, 0))).toBe(3)
    expect(guard.epochOf({ guard: null, connection: 0 })).toBe('LOST')
  })

  it('never believes a state that is older than one it has seen, whatever connections break', async () => {
    const { guard } = await makeGuard()
    fc.assert(
      fc.property(
        fc.array(
          fc.record({ connection: fc.integer({ min: 1, max: 3 }), tick: fc.integer({ min: 0, max: 20 }) }),
        ),
        (readings) => {
          // Each run begins on connections that the guard has not seen.
          const front = Math.floor(Math.random() * 1e9) * 10 + 10
          let [current, firstHere, lastHere] = [-1, -1, -1]
          for (const { connection, tick } of readings) {
            const believed = guard.epochOf(reading(front + connection, 3, tick))
            if (connection !== current) [current, firstHere, lastHere] = [connection, tick, tick]
            else if (tick < lastHere) firstHere = tick
            lastHere = tick
            if (typeof believed === 'number') expect(tick).toBeGreaterThanOrEqual(firstHere)
            if (tick > firstHere) expect(believed).toBe(3)
          }
        },
      ),
    )
  })

  it('says of a view that was never filled, of one that is filled again, and of one whose epoch it does not know', async () => {
    const { guard, said } = await makeGuard()
    await guard.refresh()
    expect(guard.placeOf(profile)).toBe('NEVER_FILLED')
    said.record = filled(1, [1, 0])
    await guard.refresh()
    const first = place(guard.placeOf(profile))
    expect(guard.missing(profile, first, 1)).toBe(null)
    expect(guard.isNews(1)).toBe(false)
    expect([guard.missing(profile, first, 2), guard.isNews(2)]).toEqual(['LOST', true])
    said.record = filled(2)
    await guard.refresh()
    expect(guard.missing(profile, first, 2)).toBe('REFILLING')
    // What was known of an epoch stays known.
    expect(guard.missing(profile, first, 1)).toBe(null)
  })

  it('reads a view that was filled again under its new keys, and rows of the old ones count for old epochs only', async () => {
    const { guard, said, layouts } = await makeGuard()
    said.record = filled(1, [1, 0])
    await guard.refresh()
    const old = place(guard.placeOf(profile))
    said.record = { ...filled(2, [1, 0], [2, 1]), generations: new Map([['profile', 1]]) }
    await guard.refresh()
    const now = place(guard.placeOf(profile))
    expect([old.prefix, now.prefix]).toEqual([0, 1].map((one) => layouts.keyPrefixOf('profile', one)))
    expect([guard.missing(profile, old, 2), guard.missing(profile, now, 2)]).toEqual(['REFILLING', null])
  })

  it('leaves the old keys of a view that is filled again in the same epoch, before the new ones are filled', async () => {
    const { guard, said } = await makeGuard()
    said.record = filled(1, [1, 0])
    await guard.refresh()
    const old = guard.placeOf(profile)
    said.record = { ...filled(1, [1, 0]), generations: new Map([['profile', 1]]) }
    await guard.refresh()
    expect(guard.placeOf(profile)).toBe('REFILLING')
    said.record = { ...filled(1, [1, 1]), generations: new Map([['profile', 1]]) }
    await guard.refresh()
    expect(guard.placeOf(profile)).not.toEqual(old)
  })

  it('answers of tiles in the epochs in which they were caught up', async () => {
    const { guard, said, layouts } = await makeGuard()
    if (recent.kind !== 'STREAM') throw new Error('no streaming view')
    const generation = {
      ...layouts.tiledView(recent),
      generation: 1,
      state: 'LIVE' as const,
      changedAt: 0,
      correction: 0,
    }
    said.record = filled(1)
    said.tiles = [{ ...generation, watermark: 5, caughtUpEpoch: null }]
    await guard.refresh()
    expect(guard.placeOf(recent)).toBe('REFILLING')
    said.tiles = [{ ...generation, watermark: 5, caughtUpEpoch: 1 }]
    await guard.refresh()
    expect(guard.missing(recent, place(guard.placeOf(recent)), 1)).toBe(null)
    said.record = filled(2)
    await guard.refresh()
    expect(guard.missing(recent, place(guard.placeOf(recent)), 2)).toBe('REFILLING')
  })
})
