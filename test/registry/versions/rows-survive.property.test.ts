import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { entity } from '../../../src/definitions/entity.ts'
import { featureView } from '../../../src/definitions/feature-view.ts'
import type { Micros } from '../../../src/definitions/timestamp.ts'
import type { Value } from '../../../src/definitions/value.ts'
import type { ValueType } from '../../../src/definitions/value-type.ts'
import { type EvolvingWorld, openEvolvingWorld } from './evolving-world.ts'

const keys = [1, 2]
const steps = [
  'renameView',
  'renameEntity',
  'renameFeature',
  'add',
  'remove',
  'back',
  'widen',
  'narrow',
  'none',
] as const

/** A change of the definitions, then rows; what does not apply (nothing to remove) changes nothing. */
const step = fc.record({
  kind: fc.constantFrom(...steps),
  pick: fc.nat(9),
  rows: fc.array(
    fc.record({
      key: fc.constantFrom(...keys),
      /** Few, so that ties and late rows are common. */
      second: fc.nat(3),
      values: fc.array(
        fc.constantFrom(null, 0, -7, 0.1, 2 ** 31 - 1, -(2 ** 31), 2 ** 31, 2 ** 52, 1e300, -4e38),
        {
          ...{ minLength: 6, maxLength: 6 },
        },
      ),
    }),
    { maxLength: 3 },
  ),
})

type Step = typeof step extends fc.Arbitrary<infer One> ? One : never

interface ModelFeature {
  readonly id: string
  readonly name: string
  readonly renamedFrom: string | null
  readonly type: ValueType
}

interface ModelRow {
  readonly key: number
  readonly at: Micros
  readonly values: ReadonlyMap<string, Value | null>
}

const wider: Readonly<Record<string, ValueType>> = { int32: 'int64', float32: 'float64' }
const narrower: Readonly<Record<string, ValueType>> = { int64: 'int32', float64: 'float32' }

/** A number as a type holds it: null out of its range. */
function held(type: ValueType, value: Value | null): Value | null {
  if (typeof value !== 'number') return value
  switch (type) {
    case 'int32':
      return value >= -(2 ** 31) && value < 2 ** 31 ? value : null
    case 'float32':
      return Number.isFinite(Math.fround(value)) ? Math.fround(value) : null
    default:
      return value
  }
}

/** A value that a feature of the type takes. */
function offered(type: ValueType, value: number | null): Value | null {
  const number = type.startsWith('int') && value !== null && !Number.isSafeInteger(value) ? 3 : value
  return held(type, number)
}

describe('rows under definitions that change', () => {
  let world: EvolvingWorld
  let runs = 0

  beforeAll(async () => {
    world = await openEvolvingWorld()
  })
  afterAll(() => world?.close())

  /** Applies the steps to the world and to the model: lists of features and rows, and a loop over all of them. */
  async function follow(all: readonly Step[]): Promise<void> {
    runs += 1
    let names = 0
    const newName = (what: string): string => `${what}_${runs}_${names++}`
    let [view, viewFrom] = [newName('v'), null as string | null]
    let [customer, customerFrom] = [newName('e'), null as string | null]
    const first: readonly ValueType[] = ['int32', 'float32', 'string']
    let features: ModelFeature[] = first.map((type) => {
      const name = newName('f')
      return { id: name, name, renamedFrom: null, type }
    })
    const removed: ModelFeature[] = []
    const widened = new Set<string>()
    const rows: ModelRow[] = []
    /** Of each key what was the newest when a row of the key came last, as it was read then. */
    const online = new Map<number, ModelRow>()
    const { now } = world.time

    function change({ kind, pick }: Step): void {
      const place = pick % features.length
      const one = features[place]
      if (!one) return
      switch (kind) {
        case 'renameView':
          ;[view, viewFrom] = [newName('v'), view]
          return
        case 'renameEntity':
          ;[customer, customerFrom] = [newName('e'), customer]
          return
        case 'renameFeature':
          features = features.with(place, { ...one, name: newName('f'), renamedFrom: one.name })
          return
        case 'add': {
          const name = newName('f')
          const type = (['int32', 'float32', 'int64'] as const)[pick % 3] ?? 'int32'
          features = features.toSpliced(place, 0, { id: name, name, renamedFrom: null, type })
          return
        }
        case 'remove':
          if (features.length === 1) return
          features = features.toSpliced(place, 1)
          removed.push(one)
          return
        case 'back': {
          const back = removed.pop()
          if (back) features = [...features, { ...back, name: back.id, renamedFrom: null }]
          return
        }
        case 'widen':
          if (wider[one.type] === undefined) return
          widened.add(one.id)
          features = features.with(place, { ...one, type: wider[one.type] ?? one.type })
          return
        case 'narrow':
          if (!widened.has(one.id) || narrower[one.type] === undefined) return
          features = features.with(place, { ...one, type: narrower[one.type] ?? one.type })
          return
        case 'none':
      }
    }

    async function apply(): Promise<void> {
      const from = (name: string | null) => (name === null ? {} : { renamedFrom: name })
      const who = entity(customer, { joinKeys: { id: 'int64' }, ...from(customerFrom) })
      const written = features.map(
        ({ name, type, renamedFrom }) => [name, { type, ...from(renamedFrom) }] as const,
      )
      await world.apply(
        who,
        featureView(view, { entity: who, features: Object.fromEntries(written), ...from(viewFrom) }),
      )
      ;[viewFrom, customerFrom] = [null, null]
      features = features.map((one) => ({ ...one, renamedFrom: null }))
    }

    const newestOf = (key: number, at: Micros): ModelRow | null =>
      rows
        .filter((row) => row.key === key && row.at <= at)
        .reduce<ModelRow | null>(
          (newest, row) => (newest === null || row.at >= newest.at ? row : newest),
          null,
        )
    const asRead = (row: ModelRow) =>
      new Map(features.map(({ id, type }) => [id, held(type, row.values.get(id) ?? null)]))
    const shown = (row: ModelRow | null | undefined) => {
      if (!row) return 'NOT_FOUND'
      const values = asRead(row)
      return Object.fromEntries(features.map(({ id, name }) => [name, values.get(id) ?? null]))
    }

    await apply()
    for (const one of all) {
      change(one)
      await apply()
      for (const { key, second, values } of one.rows) {
        const at = now - second * 1_000_000
        const given = features.map(({ type }, index) => {
          const value = values[index % values.length] ?? null
          return type === 'string' ? (value === null ? null : `${value}`) : offered(type, value)
        })
        rows.push({ key, at, values: new Map(features.map(({ id }, index) => [id, given[index] ?? null])) })
        await world.push(view, [key], at, given)
        const newest = newestOf(key, now)
        if (newest) online.set(key, { ...newest, values: asRead(newest) })
      }
      const moments = keys.flatMap((key) =>
        [0, 1, 3].map((second) => ({ key: [key], asOf: now - second * 1_000_000 })),
      )
      const expected = moments.map(({ key: [key = 0], asOf }) => shown(newestOf(key, asOf)))
      expect(await world.asOf(view, moments)).toEqual(expected)
      expect(
        await world.online(
          view,
          keys.map((key) => [key]),
        ),
      ).toEqual(keys.map((key) => shown(online.get(key))))
    }
  }

  it('answer on both clocks as a list of rows does, whatever was renamed, added, removed, widened and taken back', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 3, maxLength: 8 }), async (all) => {
        world.forget()
        await follow(all)
      }),
      { numRuns: 10, endOnFailure: false },
    )
  })
})
