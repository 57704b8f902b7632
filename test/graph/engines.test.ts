import fc from 'fast-check'
import { entity, featureService, featureView, request } from 'featuregraph'
import { getIntrospectionQuery } from 'graphql'
import { describe, expect, it } from 'vitest'
import { type ValueType, valueType } from '../../src/definitions/value-type.ts'
import { arbitraryValue } from '../contract/arbitrary-value.ts'
import { isLong } from '../services/long-run.ts'
import { arbitraryOperation } from './arbitrary-operation.ts'
import { type Answer, hour, makeWorld, now, type Operation, row, type World } from './run-operation.ts'
import { bigId, smallWorld } from './small-world.ts'

/** How the second run came about: compiled, left to graphql-js, or compiled and then repeated by graphql-js. */
type Engine = 'compiled' | 'not-compilable' | 'repeated'

interface Case extends Operation {
  readonly engine?: Engine
  /** What must stand in the answer, so that equal emptiness passes for nothing. */
  readonly holds: unknown
  readonly code?: string
}

/** The same operation by graphql-js (a first use), compiled (second and third) and by plain graphql-js. */
async function runFourTimes(world: World, operation: Operation): Promise<readonly Answer[]> {
  const answers: Answer[] = []
  for (let use = 1; use <= 3; use += 1) answers.push(await world.run(operation))
  return [...answers, await world.runPlain(operation)]
}

/** graphql-js' own errors have neither a code nor a request id; the gateway gives both. */
function withoutExtensions({ data, errors }: Answer): Answer {
  const bare = errors?.map(({ extensions: _, ...error }) => error)
  return { ...(data === undefined ? {} : { data }), ...(bare === undefined ? {} : { errors: bare }) }
}

const cases: Readonly<Record<string, Case>> = {
  'three aliases of one view with different maxAge, one by variable, over a list with a duplicate': {
    query: `query($ids: [Int64!]!, $age: Duration) { customers(customerIds: $ids) {
      customerDaily { total freshness { status } }
      fresh: customerDaily(maxAge: "1h") { total freshness { status } }
      byVariable: customerDaily(maxAge: $age) { total freshness { status } }
    } }`,
    variables: { ids: [1, 2, 1], age: '3h' },
    holds: {
      customerDaily: { total: 12.5, freshness: { status: 'PRESENT' } },
      fresh: { total: null, freshness: { status: 'OUTSIDE_TTL' } },
      byVariable: { total: 12.5, freshness: { status: 'PRESENT' } },
    },
  },
  'maxAge null, absent and a variable that is not given': {
    query: `query($age: Duration) { customer(customerId: 1) {
      a: customerDaily(maxAge: null) { total } b: customerDaily { total } c: customerDaily(maxAge: $age) { total }
    } }`,
    holds: { a: { total: 12.5 }, b: { total: 12.5 }, c: { total: 12.5 } },
  },
  'every type of value, and nulls of each': {
    query: `{ customers(customerIds: [1, 3]) { customerDaily {
      total count vip segment scores bigCounts lastSeen photo visits ratio
    } } }`,
    holds: {
      total: 12.5,
      count: 3,
      vip: true,
      segment: 'a "b"',
      scores: [0.5, 2],
      bigCounts: [1, bigId],
      lastSeen: '2026-11-23T10:59:59.999999Z',
      photo: 'AP8=',
      visits: -7,
      ratio: Math.fround(0.1),
    },
  },
  'nested fragments and inline fragments': {
    query: `query { customer(customerId: 1) { ...Outer ... { customerId } ... on Customer { customerRecent { count } } } }
      fragment Outer on Customer { ...Inner customerDaily { total } }
      fragment Inner on Customer { customerDaily { count ...Leaf } }
      fragment Leaf on CustomerDaily { vip freshness { source } }`,
    holds: { total: 12.5, count: 3, vip: true, freshness: { source: 'ONLINE' } },
  },
  'a fragment on the roots': {
    query: `{ ...Roots } fragment Roots on Query { customer(customerId: 1) { customerRecent { count } } }`,
    holds: { customerRecent: { count: 2 } },
  },
  '@include and @skip on views, by variables': {
    query: `query($yes: Boolean!, $no: Boolean!) { customer(customerId: 1) {
      customerDaily @include(if: $no) { total } customerRecent @skip(if: $no) { count }
      a: customerRecent @include(if: $yes) @skip(if: $yes) { count }
      customerProfile @include(if: $yes) { country @skip(if: $yes) age }
    } }`,
    variables: { yes: true, no: false },
    holds: { customer: { customerRecent: { count: 2 }, customerProfile: { age: 40 } } },
  },
  '@include and @skip by literals': {
    query: `{ customer(customerId: 1) @include(if: true) {
      customerDaily @include(if: false) { total } customerRecent @skip(if: false) { count }
    } }`,
    holds: { customer: { customerRecent: { count: 2 } } },
  },
  '@include on a root, by a variable with a default': {
    query: `query($yes: Boolean = true, $no: Boolean = false) {
      a: customer(customerId: 1) @include(if: $yes) { customerRecent { count } }
      b: customer(customerId: 2) @include(if: $no) { customerDaily { total } }
    }`,
    holds: { a: { customerRecent: { count: 2 } } },
  },
  'a fragment included in one place and not in another': {
    query: `query($no: Boolean!) {
      a: customer(customerId: 1) { customerId ...F @include(if: $no) } b: customer(customerId: 1) { ...F }
    } fragment F on Customer { customerRecent { count } }`,
    variables: { no: false },
    engine: 'not-compilable',
    holds: { a: { customerId: 1 }, b: { customerRecent: { count: 2 } } },
  },
  'one fragment twice in a selection, under different conditions': {
    query: `query($yes: Boolean!, $no: Boolean!) {
      customer(customerId: 1) { ...F @include(if: $no) ...F @include(if: $yes) }
    } fragment F on Customer { customerRecent { count } }`,
    variables: { yes: true, no: false },
    engine: 'not-compilable',
    holds: { customerRecent: { count: 2 } },
  },
  'a view twice, each with its own condition and an inline fragment inside': {
    query: `query($yes: Boolean!, $no: Boolean!) { customer(customerId: 1) {
      customerDaily @include(if: $no) { ... { total } } customerDaily @include(if: $yes) { ... { count } }
    } }`,
    variables: { yes: true, no: false },
    engine: 'not-compilable',
    holds: { customerDaily: { count: 3 } },
  },
  'a condition in one of two operations of a document': {
    query: `query Other($no: Boolean!) { customer(customerId: 1) { ...F @include(if: $no) } }
      query Asked { customer(customerId: 1) { ...F } }
      fragment F on Customer { customerRecent { count } }`,
    operationName: 'Asked',
    engine: 'not-compilable',
    holds: { customerRecent: { count: 2 } },
  },
  'one of two operations': {
    query: `query A { customer(customerId: 1) { customerId } } query B { customer(customerId: 2) { customerId } }`,
    operationName: 'B',
    holds: { customer: { customerId: 2 } },
  },
  'a field twice, with different selections': {
    query: `{ customer(customerId: 1) { customerDaily { total } customerDaily { count freshness { status } }
      customerDaily { freshness { source } } } }`,
    holds: { total: 12.5, count: 3, freshness: { status: 'PRESENT', source: 'ONLINE' } },
  },
  'a root twice, with different views': {
    query: `{ customer(customerId: 1) { customerDaily { total } } customer(customerId: 1) { customerRecent { count } } }`,
    holds: { customer: { customerDaily: { total: 12.5 }, customerRecent: { count: 2 } } },
  },
  'two aliased roots and a list with duplicates': {
    query: `{ one: customer(customerId: 1) { customerRecent { count } } two: customer(customerId: 2) { customerId }
      customers(customerIds: [2, 1, 2]) { customerId customerRecent { count } } }`,
    holds: [
      { customerId: 2, customerRecent: { count: null } },
      { customerId: 1, customerRecent: { count: 2 } },
      { customerId: 2, customerRecent: { count: null } },
    ],
  },
  'aliases that meet when a path is joined by _': {
    query: `{ recent_c: customer(customerId: 1) { customerRecent { count } }
      c: customer(customerId: 1) { recent: customerDaily { total } } }`,
    holds: { recent_c: { customerRecent: { count: 2 } }, c: { recent: { total: 12.5 } } },
  },
  'aliases with a meaning in JavaScript': {
    query: `{ constructor: customer(customerId: 1) { toString: customerRecent { hasOwnProperty: count } valueOf: customerId } }`,
    holds: { constructor: { toString: { hasOwnProperty: 2 }, valueOf: 1 } },
  },
  'the alias __proto__': {
    query: `{ customer(customerId: 1) { __proto__: customerId x: customerId } }`,
    engine: 'not-compilable',
    holds: JSON.parse('{ "__proto__": 1, "x": 1 }'),
  },
  'a spine of input objects': {
    query: `query($rows: [CustomerAsOf!]!) { customersAsOf(rows: $rows) {
      customerId customerDaily { total freshness { status source eventTimestamp ageSeconds } } customerProfile { country } } }`,
    variables: {
      rows: [
        { customerId: 1, asOf: '2026-11-23T12:00:00Z' },
        { customerId: '1', asOf: '2026-10-23T14:00:00.000001+02:00' },
        { customerId: 1, asOf: '2026-11-23T12:00:00Z', knownAt: '2026-11-23T09:59:59.999999Z' },
      ],
    },
    holds: {
      status: 'PRESENT',
      source: 'OFFLINE',
      eventTimestamp: '2026-11-23T10:00:00.000000Z',
      ageSeconds: 7200,
    },
  },
  'a spine of literals around variables': {
    query: `query($id: Int64!, $t: Timestamp!, $k: Timestamp) {
      customersAsOf(rows: [{ customerId: $id, asOf: $t, knownAt: $k }, { customerId: 2, asOf: $t }]) {
        customerId customerDaily { total }
      } }`,
    variables: { id: 1, t: '2026-11-23T11:00:00Z' },
    holds: { customerId: 1, customerDaily: { total: 12.5 } },
  },
  'asOf and knownAt by variable, null and absent': {
    query: `query($asOf: Timestamp, $none: Timestamp) {
      a: customer(customerId: 1, asOf: $asOf) { customerDaily { total freshness { source } } }
      b: customer(customerId: 1, asOf: $none) { customerDaily { total freshness { source } } }
      c: customer(customerId: 1, asOf: null, knownAt: $asOf) { customerDaily { total freshness { source } } }
    }`,
    variables: { asOf: '2026-11-01T00:00:00Z', none: null },
    holds: {
      a: { customerDaily: { total: 10, freshness: { source: 'OFFLINE' } } },
      b: { customerDaily: { total: 12.5, freshness: { source: 'ONLINE' } } },
      c: { customerDaily: { total: 10, freshness: { source: 'OFFLINE' } } },
    },
  },
  'a composite key': {
    query: `query($key: MerchantDeviceKey!) { merchantDevice(key: $key) { merchantId deviceNo deviceRisk { risk blocked } } }`,
    variables: { key: { deviceNo: 7, merchantId: 'm1' } },
    holds: { merchantId: 'm1', deviceNo: 7, deviceRisk: { risk: Math.fround(0.1), blocked: null } },
  },
  'service rows and columns': {
    query: `query($keys: [RiskV1Key!]!) {
      riskV1(keys: $keys) { customerId merchantId deviceNo total amount countRecent byPhone attempts vector names statuses defaulted }
      riskV1Columns(keys: $keys) { customerId total attempts vectors names statuses { total countRecent attempts } }
    }`,
    variables: {
      keys: [
        { customerId: 1, merchantId: 'm1', deviceNo: 7, amount: 1.5, byPhone: true },
        { customerId: 9, merchantId: '', deviceNo: 0, amount: 0, attempts: bigId, byPhone: false },
      ],
    },
    holds: [12.5, 3, 1, 1.5, Math.fround(0.1), 0, 2, 3, 1],
  },
  'the catalogue': {
    query: `{ entities { name graphqlName joinKeys { name graphqlName type } featureViews { name } }
      featureViews(entity: "customer") { name kind ttlSeconds online features { name type default } services { name } entity { name } }
      featureServices { name vector { name view type default } } }`,
    holds: { name: 'count', type: 'int64', default: '4' },
  },
  introspection: {
    query: getIntrospectionQuery(),
    engine: 'not-compilable',
    holds: { kind: 'OBJECT', name: 'CustomerDaily', ofType: null },
  },
  __typename: {
    query: `{ __typename customer(customerId: 1) { __typename customerDaily { __typename freshness { __typename } } } }`,
    holds: { __typename: 'CustomerDaily', freshness: { __typename: 'Freshness' } },
  },
  'Int64 beyond 2^53 in and out, as text and as a literal': {
    query: `query($id: Int64!) {
      a: customer(customerId: $id) { customerId customerDaily { count } } b: customer(customerId: ${bigId}) { customerId } }`,
    variables: { id: bigId },
    holds: { customerId: bigId, customerDaily: { count: bigId } },
  },
  'a single value coerced to a list': {
    query: `query($ids: [Int64!]!) { customers(customerIds: $ids) { customerId } b: customers(customerIds: 2) { customerId } }`,
    variables: { ids: 1 },
    holds: { customers: [{ customerId: 1 }], b: [{ customerId: 2 }] },
  },
  'a single input object coerced to a list': {
    query: `query($rows: [CustomerAsOf!]!) { customersAsOf(rows: $rows) { customerId } }`,
    variables: { rows: { customerId: 1, asOf: '2026-11-23T11:00:00Z' } },
    holds: { customersAsOf: [{ customerId: 1 }] },
  },
  'a list of variables and literals': {
    query: `query($a: Int64!, $b: Int64!) { customers(customerIds: [$a, 3, $b]) { customerId } }`,
    variables: { a: '1', b: 2 },
    holds: { customers: [{ customerId: 1 }, { customerId: 3 }, { customerId: 2 }] },
  },
  'an empty list': {
    query: `{ customers(customerIds: []) { customerDaily { total } } }`,
    holds: { customers: [] },
  },
  'defaults of variables': {
    query: `query($id: Int64 = 1, $ids: [Int64!] = [3, "${bigId}"], $age: Duration = "3h") {
      customer(customerId: $id) { customerId customerDaily(maxAge: $age) { total } } customers(customerIds: $ids) { customerId } }`,
    holds: {
      customer: { customerId: 1, customerDaily: { total: 12.5 } },
      customers: [{ customerId: 3 }, { customerId: bigId }],
    },
  },
  'a non-null variable with a default': {
    query: `query($ids: [Int64!]! = [3]) { customers(customerIds: $ids) { customerId } }`,
    engine: 'not-compilable',
    holds: { customers: [{ customerId: 3 }] },
  },
  'variables that nobody declared': {
    query: `{ customer(customerId: 1) { customerId } }`,
    variables: { else: 1 },
    holds: { customer: { customerId: 1 } },
  },
}

const refused: Readonly<Record<string, Operation & { readonly message: RegExp }>> = {
  'a variable that is missing': {
    query: 'query($id: Int64!) { customer(customerId: $id) { customerId } }',
    message: /^Variable "\$id" of required type "Int64!" was not provided\.$/,
  },
  'null for a variable that takes none': {
    query: 'query($id: Int64!) { customer(customerId: $id) { customerId } }',
    variables: { id: null },
    message: /^Variable "\$id" of non-null type "Int64!" must not be null\.$/,
  },
  'null for a variable with a default, where the argument takes none': {
    query: 'query($id: Int64 = 1) { customer(customerId: $id) { customerId } }',
    variables: { id: null },
    message: /^Argument "customerId" of non-null type "Int64!" must not be null\.$/,
  },
  'null for a condition with a default': {
    query:
      'query($x: Boolean = true) { customer(customerId: 1) { customerDaily @include(if: $x) { total } } }',
    variables: { x: null },
    message: /^Argument "if" of non-null type "Boolean!" must not be null\.$/,
  },
  'text for an integer': {
    query: 'query($id: Int64!) { customer(customerId: $id) { customerId } }',
    variables: { id: 'one' },
    message: /^Variable "\$id" got invalid value "one"; expected a 64-bit integer/,
  },
  'a fraction for an integer': {
    query: 'query($id: Int64!) { customer(customerId: $id) { customerId } }',
    variables: { id: 1.5 },
    message: /got invalid value 1\.5; expected a 64-bit integer/,
  },
  'an integer that JSON has rounded': {
    query: 'query($ids: [Int64!]!) { customers(customerIds: $ids) { customerId } }',
    variables: { ids: [1, Number(bigId)] },
    message:
      /got invalid value that JSON has rounded at "ids\[1\]"; expected an integer that JSON keeps exactly/,
  },
  'an integer beyond 64 bits': {
    query: 'query($id: Int64!) { customer(customerId: $id) { customerId } }',
    variables: { id: '9223372036854775808' },
    message:
      /got invalid value "9223372036854775808"; expected a value within int64, from -9223372036854775808 to 9223372036854775807/,
  },
  'an int32 out of range': {
    query: 'query($n: Int!) { merchantDevice(key: { merchantId: "m1", deviceNo: $n }) { deviceNo } }',
    variables: { n: 2_147_483_648 },
    message: /Int cannot represent non 32-bit signed integer value: 2147483648/,
  },
  'a boolean for text': {
    query: 'query($id: String!) { merchantDevice(key: { merchantId: $id, deviceNo: 1 }) { deviceNo } }',
    variables: { id: true },
    message: /String cannot represent a non string value: true/,
  },
  'text for a boolean': {
    query: 'query($x: Boolean!) { customer(customerId: 1) { customerId @include(if: $x) } }',
    variables: { x: 'true' },
    message: /Boolean cannot represent a non boolean value: "true"/,
  },
  'text for a float, deep in a list of objects': {
    query: 'query($keys: [RiskV1Key!]!) { riskV1(keys: $keys) { vector } }',
    variables: { keys: [{ customerId: 1, merchantId: 'm1', deviceNo: 7, amount: '1.5', byPhone: true }] },
    message: /at "keys\[0\]\.amount"; Float cannot represent non numeric value: "1\.5"/,
  },
  'a time without an offset, deep in a spine': {
    query: 'query($rows: [CustomerAsOf!]!) { customersAsOf(rows: $rows) { customerId } }',
    variables: { rows: [{ customerId: 1, asOf: '2026-11-23T11:00:00' }] },
    message: /at "rows\[0\]\.asOf"; expected an RFC 3339 timestamp with an explicit offset/,
  },
  'a duration without a unit': {
    query: 'query($age: Duration) { customer(customerId: 1) { customerDaily(maxAge: $age) { total } } }',
    variables: { age: '60' },
    message: /got invalid value "60"; expected a whole number and a unit/,
  },
  'null in a list': {
    query: 'query($ids: [Int64!]!) { customers(customerIds: $ids) { customerId } }',
    variables: { ids: [1, null] },
    message: /got invalid value null at "ids\[1\]"; Expected non-nullable type "Int64!" not to be null\./,
  },
  'an unknown input field': {
    query: 'query($rows: [CustomerAsOf!]!) { customersAsOf(rows: $rows) { customerId } }',
    variables: { rows: [{ customerId: 1, asOf: '2026-11-23T11:00:00Z', asof: 1 }] },
    message: /Field "asof" is not defined by type "CustomerAsOf"\. Did you mean "asOf"\?/,
  },
  'a missing input field': {
    query: 'query($rows: [CustomerAsOf!]!) { customersAsOf(rows: $rows) { customerId } }',
    variables: { rows: [{ customerId: 1 }] },
    message: /Field "asOf" of required type "Timestamp!" was not provided\./,
  },
  'a list where an object belongs': {
    query: 'query($key: MerchantDeviceKey!) { merchantDevice(key: $key) { deviceNo } }',
    variables: { key: [] },
    message: /Variable "\$key" got invalid value \[\]/,
  },
  'text where a list of objects belongs': {
    query: 'query($keys: [MerchantDeviceKey!]!) { merchantDevices(keys: $keys) { deviceNo } }',
    variables: { keys: 'm1' },
    message: /Expected type "MerchantDeviceKey" to be an object\./,
  },
  'a key with U+0000': {
    query: 'query($id: String!) { merchantDevice(key: { merchantId: $id, deviceNo: 1 }) { deviceNo } }',
    variables: { id: 'a\0b' },
    message: /^merchantId: expected a string without U\+0000 and lone surrogates$/,
  },
  'a subscription, since there are none': {
    query: 'subscription { customer(customerId: 1) { customerId } }',
    message: /^Schema is not configured to execute subscription operation\.$/,
  },
  'a request value that overflows': {
    query:
      '{ riskV1(keys: [{ customerId: 1, merchantId: "m1", deviceNo: 7, amount: 1e999, byPhone: true }]) { vector } }',
    message: /^amount: expected a finite float64$/,
  },
}

describe('graphql-js and graphql-jit', () => {
  it.each(Object.entries(cases))(
    'answer alike: %s',
    async (_, { holds, engine = 'compiled', ...operation }) => {
      const world = await smallWorld()
      const [first, second, third, plain] = await runFourTimes(world, operation)
      expect(second).toEqual(first)
      expect(third).toEqual(first)
      expect(plain).toEqual(first)
      expect(partsOf(first?.data)).toContainEqual(holds)
      expect(world.masked).toEqual([])
      expect(world.engineEvents).toEqual([engine])
    },
  )

  it.each(Object.entries(refused))('refuse alike: %s', async (_, { message, ...operation }) => {
    const world = await smallWorld()
    const [first, second, third, plain] = await runFourTimes(world, operation)
    expect(second).toEqual(first)
    expect(third).toEqual(first)
    expect(first?.data ?? null).toBeNull()
    expect(first?.errors).toHaveLength(1)
    expect(first?.errors?.[0]?.message).toMatch(message)
    expect(first?.errors?.[0]?.extensions).toEqual({ code: 'BAD_USER_INPUT', requestId: 'request-1' })
    expect(plain?.errors?.[0]?.path).toEqual(first?.errors?.[0]?.path)
    expect(world.masked).toEqual([])
  })

  it('report a view that is unavailable alike', async () => {
    const world = await smallWorld()
    world.breakStore('online')
    const [first, second, third, plain] = await runFourTimes(world, {
      query: `{ customers(customerIds: [1, 2]) { a: customerDaily { total freshness { status } } customerProfile { country } } }`,
    })
    expect(second).toEqual(first)
    expect(third).toEqual(first)
    expect(withoutExtensions(plain ?? {})).toEqual(withoutExtensions(first ?? {}))
    expect(partsOf(first?.data)).toContainEqual({ total: null, freshness: { status: 'UNAVAILABLE' } })
    expect(first?.errors).toHaveLength(1)
  })

  it('compile an operation at its second use, once', async () => {
    const world = await smallWorld()
    const query = '{ customer(customerId: 1) { customerId } }'
    await world.run({ query })
    expect(world.engineEvents).toEqual([])
    await world.run({ query })
    expect(world.engineEvents).toEqual(['compiled'])
    for (let use = 3; use <= 5; use += 1) await world.run({ query })
    expect(world.engineEvents).toEqual(['compiled'])
  })

  it('see new variables at every run of a compiled operation', async () => {
    const world = await smallWorld()
    const query = `query($id: Int64!, $daily: Boolean!) {
      customer(customerId: $id) { customerId customerDaily @include(if: $daily) { total } } }`
    const answers: unknown[] = []
    for (const variables of [
      { id: 1, daily: true },
      { id: 2, daily: false },
      { id: 1, daily: false },
      { id: 1, daily: true },
    ])
      answers.push((await world.run({ query, variables })).data?.['customer'])
    expect(world.engineEvents).toEqual(['compiled'])
    expect(answers).toEqual([
      { customerId: 1, customerDaily: { total: 12.5 } },
      { customerId: 2 },
      { customerId: 1 },
      { customerId: 1, customerDaily: { total: 12.5 } },
    ])
  })

  it.each([
    { name: 'with conditions', ingredients: { conditions: true, fragments: false }, compiles: true },
    { name: 'with fragments', ingredients: { conditions: false, fragments: true }, compiles: true },
    { name: 'with both', ingredients: { conditions: true, fragments: true }, compiles: false },
  ])('answer random operations over random definitions alike, $name', async ({ ingredients, compiles }) => {
    let compiled = 0
    await fc.assert(
      fc.asyncProperty(arbitraryRecipe, fc.nat(), async (recipe, seed) => {
        const world = await randomWorld(recipe)
        const operations = fc.sample(arbitraryOperation(world.registry, ingredients), { numRuns: 12, seed })
        for (const operation of operations) {
          world.forget()
          const [first, second, third, plain] = await runFourTimes(world, operation)
          expect({ operation, answer: second }).toEqual({ operation, answer: first })
          expect(third).toEqual(first)
          expect({ operation, answer: plain }).toEqual({ operation, answer: first })
          expect(first?.errors).toBeUndefined()
          if (world.engineEvents.includes('compiled')) compiled += 1
        }
      }),
      { numRuns: isLong ? 40 : 4 },
    )
    if (compiles) expect(compiled).toBeGreaterThan(30)
  })
})

const joinKeys = fc.constantFrom(
  { id: 'int64' } as const,
  { code: 'string' } as const,
  { shop: 'string', no: 'int32' } as const,
)
const numericTypes: readonly ValueType[] = ['int32', 'int64', 'float32', 'float64', 'bool']

const arbitraryRecipe = fc.record({
  keys: joinKeys,
  views: fc.array(
    fc.record({
      online: fc.boolean(),
      ttl: fc.constantFrom({}, { ttl: '1h' }, { ttl: '90d' }),
      types: fc.array(fc.constantFrom(...valueType.options), { minLength: 1, maxLength: 9 }),
      ageHours: fc.integer({ min: 0, max: 3 }),
    }),
    { minLength: 1, maxLength: 3 },
  ),
  seed: fc.nat(),
})
type Recipe = typeof arbitraryRecipe extends fc.Arbitrary<infer T> ? T : never

/** One entity, its views of random types with a row each, and a service of what is numeric. */
async function randomWorld({ keys, views, seed }: Recipe): Promise<World> {
  const buyer = entity('buyer', { joinKeys: keys })
  const definitions = views.map(({ online, ttl, types }, index) =>
    featureView(`view_${index}`, {
      entity: buyer,
      online,
      ...ttl,
      features: {
        always: 'float64',
        ...Object.fromEntries(types.map((type, place) => [`f_${place}`, type])),
      },
    }),
  )
  const picks = views.map(({ types }, index) => ({
    kind: 'pick' as const,
    view: `view_${index}`,
    features: [
      { name: 'always', as: `always_${index}` },
      ...types.flatMap((type, place) =>
        numericTypes.includes(type) ? [{ name: `f_${place}`, as: `f_${place}_${index}` }] : [],
      ),
    ],
  }))
  const scoring = featureService('scoring', [...picks, request('extra', 'int32')])
  const world = await makeWorld([buyer, ...definitions, scoring])
  const key = 'id' in keys ? { id: 1 } : 'code' in keys ? { code: 'x' } : { shop: 'x', no: 1 }
  for (const [index, { types, ageHours }] of views.entries()) {
    const values = types.map((type, place): [string, unknown] => [
      `f_${place}`,
      fc.sample(fc.option(arbitraryValue(type)), { numRuns: 1, seed: seed + place })[0],
    ])
    await world.write(
      `view_${index}`,
      row(key, now - ageHours * hour, { always: 1, ...Object.fromEntries(values) }),
    )
  }
  return world
}

/** Every object, list and value that stands anywhere in an answer. */
function partsOf(value: unknown): readonly unknown[] {
  if (typeof value !== 'object' || value === null) return [value]
  return [value, ...Object.values(value).flatMap(partsOf)]
}
