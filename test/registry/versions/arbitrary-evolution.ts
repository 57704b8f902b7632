import fc from 'fast-check'
import { InvalidDefinitions } from '../../../src/errors.ts'
import { nextContent } from '../../../src/registry/versions/resolve-identities.ts'
import type { VersionContent } from '../../../src/registry/versions/version-content.ts'

type Definition = Readonly<Record<string, unknown>>

const maybe = <Value>(value: fc.Arbitrary<Value>): fc.Arbitrary<Value | undefined> =>
  fc.option(value, { nil: undefined, freq: 2 })
const documented = {
  description: maybe(fc.constantFrom('one', 'another')),
  owner: maybe(fc.constantFrom('fraud', 'growth')),
  tags: maybe(fc.constantFrom({ team: 'a' }, { team: 'b', tier: 'gold' }, { tier: 'gold', team: 'b' })),
}
const notes = {
  description: maybe(fc.constantFrom('one', 'another')),
  unit: maybe(fc.constantFrom('CHF', 'EUR')),
  default: maybe(fc.constantFrom(0, -0, 1)),
  deprecated: maybe(fc.constantFrom('use another')),
  expect: maybe(fc.constantFrom({ notNull: true })),
}
/** Of a few names some, in any order. */
const some = (names: readonly string[], minLength = 1): fc.Arbitrary<string[]> =>
  fc.shuffledSubarray([...names], { minLength })

const renamed = (name: string, from: string): fc.Arbitrary<Definition> =>
  fc.constantFrom({}, { renamedFrom: from }).map((one) => (name === from ? {} : one))

function recordOf(names: readonly string[], value: (name: string) => fc.Arbitrary<unknown>) {
  return some(names).chain((chosen) =>
    fc
      .tuple(...chosen.map(value))
      .map((values) => Object.fromEntries(chosen.map((name, i) => [name, values[i]]))),
  )
}

const customer = fc.record({
  ...{ kind: fc.constant('entity'), name: fc.constantFrom('customer', 'client') },
  ...{ joinKeys: fc.constant({ customer_id: 'int64' }), renamedFrom: fc.constantFrom('customer', 'client') },
  ...{ plural: maybe(fc.constantFrom('people')), ...documented },
})
const fieldNames = ['customer_id', 'amount', 'city', 'success']
const fieldTypes: Readonly<Record<string, readonly string[]>> = {
  ...{ customer_id: ['int64'], amount: ['float64', 'int32', 'int64'], city: ['string'], success: ['bool'] },
}
const orders = fc
  .record({
    fields: fc.tuple(...fieldNames.map((name) => fc.constantFrom(...(fieldTypes[name] ?? [])))),
    order: fc.shuffledSubarray([...fieldNames], { minLength: fieldNames.length }),
    rest: fc.record({
      topic: maybe(fc.constantFrom('orders', 'orders_2')),
      eventTimestamp: fc.constantFrom('at', 'ts'),
      retention: maybe(fc.constantFrom('90d', '365d')),
      timezone: maybe(fc.constantFrom('UTC')),
      ...documented,
    }),
  })
  .map(({ fields, order, rest }) => {
    const typed = order.map((name) => [name, fields[fieldNames.indexOf(name)]] as const)
    return { kind: 'event-source', name: 'orders', ...rest, fields: Object.fromEntries(typed) }
  })
const aggregation = (name: string): fc.Arbitrary<unknown> =>
  fc
    .record({
      what: fc.constantFrom(
        { aggregate: 'count' },
        { aggregate: 'sum', field: 'amount' },
        { aggregate: 'max', field: 'amount' },
      ),
      window: fc.constantFrom('7d', '168h', '30d', '1h'),
      hop: maybe(fc.constantFrom('5m')),
      where: maybe(
        fc.constantFrom({ success: true }, { city: 'Bern', success: true }, { success: true, city: 'Bern' }),
      ),
      rename: name === 'total' ? renamed(name, 'number') : fc.constant({}),
      notes: fc.record(notes),
    })
    .map(({ what, rename, notes: said, ...rest }) => ({ ...what, ...rest, ...said, ...rename }))
const windowed = (name: string) =>
  fc.record({
    ...{ kind: fc.constant('windowed-view'), name: fc.constant(name), source: fc.constant('orders') },
    features: recordOf(['number', 'total', 'largest'], aggregation),
    compute: fc.constantFrom(
      { mode: 'batch', every: '1d' },
      { mode: 'batch', every: '24h' },
      { mode: 'stream' },
    ),
    ...{ ttl: maybe(fc.constantFrom('90d')), online: maybe(fc.boolean()), ...documented },
  })
const plain = (name: string) =>
  fc
    .record({
      rename: name === 'person' ? renamed(name, 'profile') : fc.constant({}),
      kind: fc.constant('feature-view'),
      name: fc.constant(name),
      features: recordOf(['age', 'height', 'city'], (feature) =>
        fc
          .record({
            type: feature === 'city' ? fc.constant('string') : fc.constantFrom('int32', 'int32', 'int64'),
            ...notes,
          })
          .map(({ expect, ...rest }) => rest),
      ),
      source: maybe(
        fc.constantFrom(
          { kind: 'postgres', name: 'crm', table: 'crm.people', eventTimestamp: 'at' },
          {
            kind: 'postgres',
            name: 'crm',
            table: 'crm.people',
            eventTimestamp: 'at',
            columns: { age: 'years' },
          },
          { kind: 'files', name: 'people', eventTimestamp: 'at' },
        ),
      ),
      online: maybe(fc.boolean()),
      graphqlName: maybe(fc.constantFrom(`${name}Facts`)),
      ...documented,
    })
    .map(({ rename, ...rest }) => ({ ...rest, ...rename }))
const service = fc.record({
  ...{ picked: some(['number', 'total', 'largest', 'age', 'height']), swap: fc.boolean() },
  request: maybe(fc.constantFrom({}, { default: 1 }, { default: 2, type: 'int64' })),
  role: maybe(
    fc.record({
      name: fc.constantFrom('payee', 'heir'),
      keys: fc.constantFrom({ customer_id: 'payee_id' }, { customer_id: 'heir_id' }),
    }),
  ),
  rest: fc.record(documented),
})

const world = fc.record({
  customer,
  orders,
  views: fc.shuffledSubarray(['daily', 'recent', 'profile', 'person'], { minLength: 1 }),
  ...{
    daily: windowed('daily'),
    recent: windowed('recent'),
    profile: plain('profile'),
    person: plain('person'),
  },
  ...{ service: maybe(service), sourceLast: fc.boolean() },
})
type World = typeof world extends fc.Arbitrary<infer Value> ? Value : never

function definitionsOf(one: World): readonly Definition[] {
  const views = one.views.map((name): Definition => {
    const view: Definition = one[name as 'daily']
    return { ...view, entity: one.customer.name }
  })
  const all: Definition[] = [one.customer, ...views]
  all.splice(one.sourceLast ? all.length : 0, 0, one.orders)
  const served = servedBy(one, views)
  return [...all, ...(served === null ? [] : [served])].map(withoutUndefined)
}

function servedBy({ service: said }: World, views: readonly Definition[]): Definition | null {
  if (said === undefined) return null
  const taken = new Set<string>()
  const picks = views.flatMap((view) => {
    const names = said.picked.filter(
      (name) => Object.hasOwn(Object(view['features']), name) && !taken.has(name),
    )
    for (const name of names) taken.add(name)
    const features = names.map((name) => ({ name }))
    return features.length === 0 ? [] : [{ kind: 'pick', view: view['name'], features }]
  })
  if (picks.length === 0) return null
  const request = said.request && [{ kind: 'request', name: 'basket', type: 'float64', ...said.request }]
  const inRole = said.role ? picks.slice(0, 1).map((one) => ({ ...one, role: said.role })) : []
  const features = [...(said.swap ? picks.toReversed() : picks), ...inRole, ...(request ?? [])]
  return { kind: 'feature-service', name: 'score_v1', features, ...said.rest }
}

function withoutUndefined(definition: Definition): Definition {
  return JSON.parse(JSON.stringify(definition))
}

function contentOf(previous: VersionContent | null, one: World): VersionContent | null {
  try {
    return nextContent(
      previous,
      definitionsOf(one).map((value, index) => ({ path: `${index}`, value })),
    )
  } catch (error) {
    if (error instanceof InvalidDefinitions) return null
    throw error
  }
}

type Pair = readonly [VersionContent, VersionContent]

/**
 * Pairs of versions; in the first of them very much differs, in each of the others a single value of a definition: every one
 * that two worlds do not share.
 */
export const arbitraryEvolutions: fc.Arbitrary<readonly Pair[]> = fc
  .tuple(world, world)
  .map(([first, second]) => {
    const before = contentOf(null, first)
    if (before === null) return []
    const others = [second, ...pathsOf(first, second).map((path) => taking(first, second, path))]
    return others.flatMap((other): readonly Pair[] => {
      const after = contentOf(before, other)
      return after === null ? [] : [[before, after]]
    })
  })

type Path = readonly string[]

/** To every place at which they differ, and to those that hold it. */
function pathsOf(first: unknown, second: unknown, path: Path = []): readonly Path[] {
  if (JSON.stringify(first) === JSON.stringify(second)) return []
  if (!isRecord(first) || !isRecord(second)) return [path]
  const names = [...new Set([...Object.keys(first), ...Object.keys(second)])]
  return [
    ...(path.length === 0 ? [] : [path]),
    ...names.flatMap((name) => pathsOf(first[name], second[name], [...path, name])),
  ]
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** The first world with the value that the second has there. */
function taking<Value>(first: Value, second: Value, [name, ...rest]: Path): Value {
  if (name === undefined || !isRecord(first) || !isRecord(second)) return second
  const { [name]: old, ...others } = first
  const taken = taking(old, second[name], rest)
  // An own name keeps its place in the order.
  if (taken === undefined) return others as Value
  return { ...first, [name]: taken }
}
