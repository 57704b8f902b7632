import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { postgresSource } from '../../src/definitions/data-source.ts'
import { entity } from '../../src/definitions/entity.ts'
import { featureService, request } from '../../src/definitions/feature-service.ts'
import { type FeatureViewDefinition, featureView } from '../../src/definitions/feature-view.ts'
import { shownTypes } from '../../src/definitions/value-type.ts'
import { InvalidDefinitions, type Problem } from '../../src/errors.ts'
import { buildRegistry } from '../../src/registry/build-registry.ts'
import { loadRegistry } from '../../src/registry/load.ts'

const customer = entity('customer', { joinKeys: { customer_id: 'int64' } })
const trips = featureView('trips', {
  entity: customer,
  features: { trips_today: 'int32', conv_rate: 'float64', city: 'string' },
})

/** A view of customers with any features and options, however wrong. */
function viewOf(name: string, features: object, options: object = {}) {
  const given = features as FeatureViewDefinition['features']
  return featureView(name, { entity: customer, features: given, ...options })
}

/** A service over views and features that need not be there. */
function serviceOf(name: string, ...picks: readonly (readonly [view: string, ...features: string[]])[]) {
  return featureService(
    name,
    picks.map(([view, ...features]) => ({
      kind: 'pick',
      view,
      features: features.map((feature) => ({ name: feature })),
    })),
  )
}

function build(...values: readonly unknown[]) {
  return buildRegistry(values.map((value, index) => ({ path: `fraud.ts: ${index}`, value })))
}

/** Each as `path: message`; the file at the end of the path is left out. */
function problemsOf(...values: readonly unknown[]): readonly string[] {
  try {
    build(...values)
  } catch (error) {
    if (!(error instanceof InvalidDefinitions)) throw error
    return error.problems.map(
      ({ path, message }) => `${path.replace(/ \(fraud\.ts: \d+\)$/, '')}: ${message}`,
    )
  }
  return []
}

const nameRule = 'a name matches ^[a-z][a-z0-9_]{0,62}$: lower case letters, digits and _, a letter first'
const durationRule = 'a duration is a whole number above 0 and a unit, as 250ms, 30s, 5m, 1h or 90d'
const featureRule =
  'a feature is a type (int32, int64, float32, float64, string, bool, timestamp, bytes, uuid, decimal(n) with n from 0 to 9, int32[], int64[], float32[], float64[], string[], bool[], timestamp[], bytes[]) or { type, description, unit, default, deprecated, expect, graphqlName, renamedFrom }'

describe('a registry', () => {
  it('resolves definitions in their order, whatever order they refer to each other in', () => {
    const service = featureService('score', [
      trips.pick('conv_rate', { name: 'trips_today', as: 'trips', default: -1 }),
      request('amount', 'float64', { default: 2 }),
      request('count', 'int32'),
    ])
    const view = viewOf(
      'b',
      { z: { type: 'float32', default: 5, unit: 'EUR' }, a_b: 'bool' },
      { ttl: '90m', online: false },
    )
    const registry = build(service, view, trips, customer)
    expect(registry.entities.map((one) => [one.name, one.graphqlName, one.typeName, one.pluralName])).toEqual(
      [['customer', 'customer', 'Customer', 'customers']],
    )
    expect(registry.entities[0]?.views.map((one) => one.name)).toEqual(['b', 'trips'])
    expect(registry.views.map((one) => [one.name, one.ttlMicros, one.online, one.entity])).toEqual([
      ['b', 5_400_000_000, false, registry.entities[0]],
      ['trips', null, true, registry.entities[0]],
    ])
    expect(registry.views[0]?.features).toEqual([
      {
        name: 'z',
        id: 'z',
        columns: [{ name: 'z', type: 'float32' }],
        graphqlName: 'z',
        type: 'float32',
        description: null,
        unit: 'EUR',
        default: 5,
        deprecated: null,
        expectation: null,
      },
      {
        name: 'a_b',
        id: 'a_b',
        columns: [{ name: 'a_b', type: 'bool' }],
        graphqlName: 'aB',
        type: 'bool',
        description: null,
        unit: null,
        default: null,
        deprecated: null,
        expectation: null,
      },
    ])
    const [score] = registry.services
    expect(score?.vector.map((one) => [one.kind, one.name, one.graphqlName, one.type, one.default])).toEqual([
      ['feature', 'conv_rate', 'convRate', 'float64', 0],
      ['feature', 'trips', 'trips', 'int32', -1],
      ['request', 'amount', 'amount', 'float64', 2],
      ['request', 'count', 'count', 'int32', 0],
    ])
    expect(score?.requests.map((one) => one.optional)).toEqual([true, false])
    expect(score?.joinKeys).toEqual([{ name: 'customer_id', graphqlName: 'customerId', type: 'int64' }])
    expect(score?.entities).toEqual([registry.entities[0]])
  })

  it('takes the default of a vector from the pick, else from the feature, else 0', () => {
    const view = viewOf('d', { own: { type: 'int32', default: 7 }, none: 'int32' })
    const registry = build(
      customer,
      view,
      featureService('s', [{ kind: 'pick', view: 'd', features: [{ name: 'own' }, { name: 'none' }] }]),
      featureService('t', [{ kind: 'pick', view: 'd', features: [{ name: 'own', default: 0 }] }]),
    )
    expect(registry.services.map((one) => one.vector.map((entry) => entry.default))).toEqual([[7, 0], [0]])
  })

  it('is frozen through and through', () => {
    const registry = build(customer, trips, serviceOf('s', ['trips', 'trips_today']))
    const unfrozen: string[] = []
    const seen = new Set<unknown>()
    const walk = (value: unknown, path: string): void => {
      if (typeof value !== 'object' || value === null || seen.has(value)) return
      seen.add(value)
      if (!Object.isFrozen(value)) unfrozen.push(path)
      for (const [key, inner] of Object.entries(value)) walk(inner, `${path}.${key}`)
    }
    walk(registry, 'registry')
    expect(unfrozen).toEqual([])
    expect(seen.size).toBeGreaterThan(10)
  })

  it('does not hold what is no definition, and counts every join key that services share once', () => {
    const merchant = entity('merchant', { joinKeys: { merchant_id: 'string' } })
    const pair = entity('pair', { joinKeys: { merchant_id: 'string', customer_id: 'int64' } })
    const sales = featureView('sales', { entity: merchant, features: { n: 'int32' } })
    const both = featureView('both', { entity: pair, features: { m: 'int32' } })
    const service = serviceOf('s', ['both', 'm'], ['sales', 'n'], ['trips', 'trips_today'])
    const registry = build(customer, merchant, pair, trips, sales, both, service, 7, null, 'text', {
      kind: 'other',
    })
    expect(registry.services[0]?.joinKeys.map((key) => key.name)).toEqual(['merchant_id', 'customer_id'])
    expect(registry.services[0]?.entities.map((one) => one.name)).toEqual(['pair', 'merchant', 'customer'])
  })

  it('of the demo loads from its folder', async () => {
    const registry = await loadRegistry(fileURLToPath(new URL('../../schema', import.meta.url)))
    expect(registry.entities.map((one) => one.name)).toContain('customer')
    expect(registry.views.map((one) => one.name)).toEqual(
      expect.arrayContaining(['customer_transaction_features', 'customer_realtime_features']),
    )
    const service = registry.services.find((one) => one.name === 'fraud_detection_v1')
    expect(service?.vector.map((entry) => entry.name)).toEqual([
      'total_transactions_30d',
      'avg_transaction_amount_30d',
      'max_transaction_amount_30d',
      'transaction_count_7d',
      'transactions_last_hour',
      'amount_last_hour',
      'transaction_amount',
    ])
  })

  it('from a folder that is not there says which setting names it', async () => {
    await expect(loadRegistry('/nowhere/at/all')).rejects.toThrow(
      '/nowhere/at/all: the folder of the definitions cannot be read; set FEATUREGRAPH_SCHEMA to the folder that holds them',
    )
  })
})

describe('the problems of definitions', () => {
  const pathsOf = (definitions: Parameters<typeof buildRegistry>[0], unloaded?: readonly Problem[]) => {
    try {
      buildRegistry(definitions, unloaded)
    } catch (error) {
      if (error instanceof InvalidDefinitions) return error.problems.map(({ path }) => path)
      throw error
    }
    return []
  }

  it('each name the file and the definition, wrong references and reserved names too, also beside other problems', () => {
    const at = (path: string, value: unknown) => ({ path, value })
    const windowed = (name: string, options: object) => ({
      ...{ kind: 'windowed-view', name, entity: 'customer', source: 'sales', compute: { mode: 'stream' } },
      ...{ features: { as_of: { aggregate: 'count', window: '1h' } }, ...options },
    })
    expect(
      pathsOf([
        at('a.ts: customer', customer),
        at('a.ts: lost', {
          ...viewOf('lost', { row_id: 'int32' }, { expect: { b: { min: 1 } } }),
          entity: 'custmer',
        }),
        at('b.ts: late', { ...viewOf('late', { as_of: 'int32' }, { ttl: 'soon' }), entity: 'custmer' }),
        at('b.ts: sums', windowed('sums', {})),
        at('b.ts: worse', windowed('worse', { compute: 7 })),
        at('c.ts: score', serviceOf('score', ['lost', 'row_id'], ['nothing', 'a'])),
        at('c.ts: vector', { ...serviceOf('vector', ['nowhere', 'a']), tags: 7 }),
        at('c.ts: entities', serviceOf('entities', ['lost', 'row'])),
      ]).toSorted(),
    ).toEqual([
      'feature service entities (c.ts: entities)',
      'feature service entities.features[0] (lost.row) (c.ts: entities)',
      'feature service score.features[1] (c.ts: score)',
      'feature service vector.features[0] (c.ts: vector)',
      'feature service vector.tags (c.ts: vector)',
      'feature view late.entity (b.ts: late)',
      'feature view late.features.as_of (b.ts: late)',
      'feature view late.ttl (b.ts: late)',
      'feature view lost.entity (a.ts: lost)',
      'feature view lost.expect.b (a.ts: lost)',
      'feature view lost.features.row_id (a.ts: lost)',
      'feature view sums.features.as_of (b.ts: sums)',
      'feature view sums.source (b.ts: sums)',
      'feature view worse.compute (b.ts: worse)',
      'feature view worse.features.as_of (b.ts: worse)',
      'feature view worse.source (b.ts: worse)',
    ])
  })

  it('of the other files come beside a file that cannot be loaded; what refers to nothing may refer to that one', () => {
    const unloaded = [{ path: 'x.ts', message: 'the file cannot be loaded: Unexpected "="' }]
    const lost = { ...viewOf('lost', { row_id: 'int32' }), entity: 'elsewhere' }
    expect(pathsOf([{ path: 'a.ts: lost', value: lost }], unloaded)).toEqual([
      'x.ts',
      'feature view lost.features.row_id (a.ts: lost)',
    ])
    expect(pathsOf([], unloaded)).toEqual(['x.ts'])
  })

  it('come all at once, each with its path, in one message', () => {
    const source = postgresSource('orders', {
      table: 'orders',
      eventTimestamp: 'ts',
      columns: { trips: 'n' },
    })
    const values = [
      customer,
      entity('Driver', { joinKeys: { id: 'int64' } }),
      viewOf('late', { n: 'int32' }, { ttl: 'soon' }),
      viewOf('mapped', { trips_today: 'int32' }, { source }),
      trips,
      serviceOf('score', ['trips', 'trips_tody', 'city'], ['trisp', 'a']),
      viewOf('clash', { a_b: 'int32', a__b: 'int32' }),
    ]
    expect(problemsOf(...values)).toEqual([
      `entity Driver.name: ${nameRule}`,
      `feature view late.ttl: ${durationRule}`,
      'feature view mapped.source.columns.trips: "trips" is neither a join key nor a feature of this view; known: "customer_id", "trips_today"',
      'feature service score.features[0] (trips.trips_tody): feature view "trips" has no feature "trips_tody"; did you mean "trips_today"?',
      'feature service score.features[0] (trips.city): a vector holds int, float and bool values, string came; leave it out of the service',
      'feature service score.features[1]: there is no feature view "trisp" among the exported definitions; did you mean "trips"?',
      'feature view clash.features.a__b: "aB" is taken among the fields of Clash by feature view clash.features.a_b; rename one of them or set graphqlName to another name',
    ])
    expect(() => build(...values)).toThrow(/^the definitions have 7 problem\(s\):\n {2}entity Driver\.name/)
  })

  it('name an entity that is not exported, with the nearest one', () => {
    const custmer = entity('custmer', { joinKeys: { customer_id: 'int64' } })
    const view = featureView('v', { entity: custmer, features: { a: 'int32' } })
    expect(problemsOf(view, customer)).toEqual([
      'feature view v.entity: there is no entity "custmer" among the exported definitions; did you mean "customer"?',
    ])
    expect(problemsOf(view)).toEqual([
      'feature view v.entity: there is no entity "custmer" among the exported definitions; there are none',
    ])
  })

  it('list what there is where nothing is near, at most ten', () => {
    const many = viewOf(
      'many',
      Object.fromEntries(Array.from({ length: 12 }, (_, index) => [`feature_${index}`, 'int32'])),
    )
    expect(problemsOf(customer, many, serviceOf('s', ['many', 'zzz']))).toEqual([
      `feature service s.features[0] (many.zzz): feature view "many" has no feature "zzz"; known: ${Array.from({ length: 10 }, (_, index) => `"feature_${index}"`).join(', ')}, …`,
    ])
  })

  it('tell a definition of a taken name where the first one stands', () => {
    expect(problemsOf(customer, { ...customer }, trips, { ...trips })).toEqual([
      'entity customer: the name "customer" is taken by fraud.ts: 0; rename one of them',
      'feature view trips: the name "trips" is taken by fraud.ts: 2; rename one of them',
    ])
  })

  it('do not repeat themselves in what refers to a broken definition', () => {
    expect(problemsOf(entity('customer', { joinKeys: {} }), trips)).toEqual([
      'entity customer.joinKeys: an entity has at least one join key',
    ])
    expect(problemsOf(customer, viewOf('trips', {}), serviceOf('s', ['trips', 'a']))).toEqual([
      'feature view trips.features: a feature view has at least one feature',
    ])
  })

  it.each(['Customer', '1a', '_a', 'a-b', 'ä', '', `a${'b'.repeat(63)}`])('name a bad name: %j', (name) => {
    expect(problemsOf(entity(name, { joinKeys: { id: 'int64' } }))).toEqual([
      `entity ${name}.name: ${nameRule}`,
    ])
    expect(problemsOf(customer, viewOf('v', { [name]: 'int32' }))).toEqual([
      `feature view v.features.${name}: ${nameRule}`,
    ])
    expect(problemsOf(entity('e', { joinKeys: { [name]: 'int64' } }))).toEqual([
      `entity e.joinKeys.${name}: ${nameRule}`,
    ])
  })

  it('name bad types, of features, join keys and request values, alone and in an object', () => {
    const features = {
      a: 'flaot',
      b: { type: 'flaot' },
      c: {},
      d: 5,
      e: 'float64[][]',
      f: { type: 'int32', default: '0' },
    }
    const typeRule = `a type is one of ${shownTypes.value}`
    expect(problemsOf(customer, viewOf('v', features))).toEqual([
      `feature view v.features.a: ${featureRule}`,
      `feature view v.features.b.type: ${typeRule}`,
      `feature view v.features.c.type: ${typeRule}`,
      `feature view v.features.d: ${featureRule}`,
      `feature view v.features.e: ${featureRule}`,
      'feature view v.features.f.default: Invalid input: expected number, received string',
    ])
    const joinKeys: Readonly<Record<string, unknown>> = { a: 'int', b: { type: 'float64' }, c: null }
    const keyRule = 'a join key is a type (int32, int64, string, uuid) or { type, graphqlName }'
    expect(problemsOf({ kind: 'entity', name: 'e', joinKeys })).toEqual([
      `entity e.joinKeys.a: ${keyRule}`,
      "entity e.joinKeys.b.type: a join key's type is one of int32, int64, string, uuid",
      `entity e.joinKeys.c: ${keyRule}`,
    ])
    const wrong = {
      kind: 'feature-service',
      name: 's',
      features: [{ kind: 'request', name: 'r', type: 'text' }],
    }
    expect(problemsOf(wrong)).toEqual([
      expect.stringMatching(/^feature service s\.features\[0\]\.type: a type is one of int32, int64,/),
    ])
  })

  it.each(['1 hour', '0d', '', '-1h', '1.5h', '1w'])('name a bad ttl: %j', (ttl) => {
    expect(problemsOf(customer, viewOf('v', { a: 'int32' }, { ttl }))).toEqual([
      `feature view v.ttl: ${durationRule}`,
    ])
  })

  it('name unknown options, at every level', () => {
    const view = viewOf('v', { a: 'int32' }, { tttl: '1h', lag: 5 })
    const feature = viewOf('w', { a: { type: 'int32', note: 'x' } })
    const source = { kind: 'postgres', name: 'p', table: 't', eventTimestamp: 'ts', colums: {} }
    const mapped = viewOf('m', { a: 'int32' }, { source })
    expect(problemsOf({ ...customer, keys: 1 }, view, feature, mapped)).toEqual([
      'entity customer: there is no option "keys"; known: "name", "joinKeys", "graphqlName", "plural", "renamedFrom", "description", "owner", "tags"',
      'feature view v: there is no option "tttl"; did you mean "ttl"?',
      'feature view v: there is no option "lag"; did you mean "tags"?',
      'feature view w.features.a: there is no option "note"',
      'feature view m.source: there is no option "colums"',
    ])
  })

  it('name what is empty', () => {
    expect(
      problemsOf(
        entity('e', { joinKeys: {} }),
        customer,
        viewOf('v', {}),
        featureService('s', []),
        serviceOf('t', ['trips']),
        trips,
      ),
    ).toEqual([
      'entity e.joinKeys: an entity has at least one join key',
      'feature view v.features: a feature view has at least one feature',
      'feature service s.features: a feature service has at least one feature',
      'feature service t.features[0].features: pick at least one feature',
    ])
    expect(problemsOf()).toEqual([
      'schema: no definitions were found; export at least one entity and feature view',
    ])
  })

  it('name a source with both a table and a query, and with neither', () => {
    const rule = 'a Postgres source has either a table or a query'
    const neither = postgresSource('p', { eventTimestamp: 'ts' })
    const both = postgresSource('p', { eventTimestamp: 'ts', table: 't', query: 'select 1' })
    const views = [neither, both].map((source, index) => viewOf(`v${index}`, { a: 'int32' }, { source }))
    expect(problemsOf(customer, ...views)).toEqual([
      `feature view v0.source: ${rule}`,
      `feature view v1.source: ${rule}`,
    ])
  })
})

describe('a source in Parquet files', () => {
  const visitsFrom = (options: object, features: object = { n: 'int64', shop: 'string' }) =>
    viewOf('visits', features as Parameters<typeof viewOf>[1], {
      source: { kind: 'parquet', name: 'lake', path: 'lake/visits', eventTimestamp: 'at', ...options },
    })

  it('is refused with what it may be instead', () => {
    expect(
      problemsOf(
        customer,
        visitsFrom({
          format: 'orc',
          timezone: 'Mars',
          partitions: { day: 'week' },
          path: '',
        }),
      ),
    ).toEqual([
      expect.stringMatching(/^feature view visits\.source\.path: /),
      'feature view visits.source.format: format is parquet (or left out) or delta',
      'feature view visits.source.timezone: a timezone is a name of the IANA database, as UTC or Europe/Berlin',
      'feature view visits.source.partitions.day: a partition column counts year, month, day or hour',
    ])
    expect(problemsOf(customer, visitsFrom({ format: 'delta', partitions: { day: 'day' } }))).toEqual([
      "feature view visits.source: partitions are of Parquet folders; a Delta table's own log says what its files hold",
    ])
  })

  it('says of its features what they are without a row', () => {
    expect(problemsOf(customer, visitsFrom({ empty: { m: 0, shop: 1, n: 0 }, columns: { m: 'x' } }))).toEqual(
      [
        'feature view visits.source.empty.m: feature view "visits" has no feature "m"; did you mean "n"?',
        'feature view visits.source.empty.shop: feature "shop" is string; only numbers are something else than null there',
        'feature view visits.source.columns.m: "m" is neither a join key nor a feature of this view; did you mean "n"?',
      ],
    )
    const { views } = build(customer, visitsFrom({ empty: { n: 0 } }))
    expect(views.find(({ name }) => name === 'visits')?.emptyValues).toEqual([0, null])
  })
})

describe('names that a definition cannot have', () => {
  const graphqlRemedy = 'set graphqlName to another name'

  it.each(['freshness', 'status', 'event_timestamp', 'created_timestamp'])(
    'are those of row metadata: %s',
    (name) => {
      const field = name.replace(/_t/, 'T')
      expect(problemsOf(customer, viewOf('v', { [name]: 'int32' }))[0]).toBe(
        `feature view v.features.${name}: "${field}" is a reserved name among the fields of V; ${graphqlRemedy}`,
      )
    },
  )

  it.each(['event_timestamp', 'created_timestamp', 'row_id', 'ingested_xid', 'as_of', 'known_at'])(
    'are those of columns that every table has, under whatever GraphQL name: %s',
    (name) => {
      const view = viewOf('v', { [name]: { type: 'int32', graphqlName: 'other' } })
      expect(problemsOf(customer, view)).toEqual([
        `feature view v.features.${name}: "${name}" is a column that every feature table has; rename it`,
      ])
      const keyed = entity('e', { joinKeys: { [name]: { type: 'int64', graphqlName: 'other' } } })
      expect(problemsOf(keyed)).toEqual([
        `entity e.joinKeys.${name}: "${name}" is a column that every feature table has; rename it`,
      ])
    },
  )

  it.each(['vector', 'names', 'statuses', 'defaulted'])(
    'are those beside the values of a service: %s',
    (name) => {
      const service = featureService('s', [trips.pick('trips_today'), request(name, 'float64')])
      expect(problemsOf(customer, trips, service)).toEqual([
        `feature service s (${name}): "${name}" is a reserved name among the fields of S; ${graphqlRemedy}`,
      ])
    },
  )

  it.each(['as_of', 'known_at', 'keys', 'rows', 'first'])(
    'are those of arguments beside join keys: %s',
    (name) => {
      const field = name.replace(/_(.)/, (_, letter: string) => letter.toUpperCase())
      expect(problemsOf(entity('e', { joinKeys: { [name]: 'int64' } }))[0]).toBe(
        `entity e.joinKeys.${name}: "${field}" is a reserved name among the fields of E; ${graphqlRemedy}`,
      )
    },
  )

  it.each(['query', 'mutation', 'timestamp', 'freshness', 'feature_view', 'int64', 'tag'])(
    'are those of types of the schema: %s',
    (name) => {
      const type = name.replace(/(?:^|_)(.)/g, (_, letter: string) => letter.toUpperCase())
      const message = `"${type}" is a reserved name among the types of the schema; ${graphqlRemedy}`
      expect(problemsOf(entity(name, { joinKeys: { id: 'int64' } }))).toContain(`entity ${name}: ${message}`)
      expect(problemsOf(customer, viewOf(name, { a: 'int32' }))).toEqual([`feature view ${name}: ${message}`])
      expect(problemsOf(customer, trips, serviceOf(name, ['trips', 'trips_today']))).toEqual([
        `feature service ${name}: ${message}`,
      ])
    },
  )

  it.each(['entities', 'feature_views', 'feature_services', 'runs', 'training_set'])(
    'are those of fields of Query: %s',
    (name) => {
      const field = name.replace(/_(.)/, (_, letter: string) => letter.toUpperCase())
      expect(problemsOf(entity(name, { joinKeys: { id: 'int64' } }))).toContain(
        `entity ${name}: "${field}" is a reserved name among the fields of Query; ${graphqlRemedy}`,
      )
    },
  )

  it('are those of fields of Mutation, which has one to delete each entity', () => {
    expect(problemsOf(entity('x', { joinKeys: { id: 'int64' }, graphqlName: 'trainingSet' }))).toContain(
      `entity x: "deleteTrainingSet" is a reserved name among the fields of Mutation; ${graphqlRemedy}`,
    )
  })

  it.each(['constructor', 'then', 'prototype'])("are JavaScript's own, wherever they stand: %s", (name) => {
    const meaning = `"${name}" means something to JavaScript objects`
    expect(problemsOf(entity(name, { joinKeys: { id: 'int64' } }))).toEqual([
      `entity ${name}: ${meaning}; rename it or ${graphqlRemedy}`,
    ])
    expect(problemsOf(customer, viewOf(name, { a: 'int32' }))).toEqual([
      `feature view ${name}: ${meaning}; rename it or ${graphqlRemedy}`,
    ])
    expect(problemsOf(customer, viewOf('v', { [name]: 'int32' }))).toEqual([
      `feature view v.features.${name}: ${meaning}; rename it or ${graphqlRemedy}`,
      `feature view v.features.${name}: ${meaning}; rename it`,
    ])
    expect(problemsOf(entity('e', { joinKeys: { [name]: 'int64' } }))).toEqual([
      `entity e.joinKeys.${name}: ${meaning}; rename it or ${graphqlRemedy}`,
      `entity e.joinKeys.${name}: ${meaning}; rename it`,
    ])
  })

  it.each(['constructor', 'toString', 'hasOwnProperty', 'valueOf', 'toJSON', 'then'])(
    "are JavaScript's own as explicit GraphQL names: %s",
    (graphqlName) => {
      const message = `"${graphqlName}" means something to JavaScript objects; rename it or ${graphqlRemedy}`
      expect(problemsOf(customer, viewOf('v', { a: { type: 'int32', graphqlName } }))).toEqual([
        `feature view v.features.a: ${message}`,
      ])
      expect(problemsOf(customer, viewOf('v', { a: 'int32' }, { graphqlName }))).toContain(
        `feature view v: ${message}`,
      )
    },
  )

  it.each(['__proto__', '__typename', '_x', '1x', 'a-b'])('are no GraphQL names: %s', (graphqlName) => {
    expect(problemsOf(customer, viewOf('v', { a: 'int32' }, { graphqlName }))).toEqual([
      'feature view v.graphqlName: a GraphQL name matches ^[A-Za-z][A-Za-z0-9_]*$',
    ])
  })

  it('are never dropped in silence: __proto__ as a feature and as a join key', () => {
    expect(problemsOf(customer, viewOf('v', { ['__proto__']: 'int32', a: 'int32' }))).toHaveLength(1)
    const joinKeys: Readonly<Record<string, unknown>> = { ['__proto__']: 'int64', id: 'int64' }
    expect(problemsOf({ kind: 'entity', name: 'e', joinKeys })).toHaveLength(1)
  })
})

it('refuse a service of request values only', () => {
  const service = {
    kind: 'feature-service',
    name: 's',
    features: [{ kind: 'request', name: 'r', type: 'int32' }],
  }
  expect(problemsOf(customer, service)).toEqual([
    'feature service s.features: a service takes features of at least one view; pick some',
  ])
})

describe('expectations', () => {
  it('are taken from the feature or from the view, absent rules as null, warn by default', () => {
    const view = viewOf(
      'v',
      { a: { type: 'float64', expect: { min: 0, maxAge: '2d', action: 'reject' } }, b: 'string', c: 'int32' },
      { expect: { b: { oneOf: ['x', 'y'], notNull: true } } },
    )
    expect(build(customer, view).views[0]?.features.map(({ expectation }) => expectation)).toEqual([
      { min: 0, max: null, notNull: false, oneOf: null, maxAgeMicros: 172_800_000_000, action: 'reject' },
      { min: null, max: null, notNull: true, oneOf: ['x', 'y'], maxAgeMicros: null, action: 'warn' },
      null,
    ])
  })

  it('are refused where they do not fit, all at once', () => {
    const features = {
      a: { type: 'string', expect: { min: 1 } },
      b: { type: 'int32', expect: { oneOf: [1, 'x'] } },
      c: { type: 'bytes', expect: { oneOf: ['x'] } },
      d: { type: 'int32', expect: { notNull: true } },
    }
    const view = viewOf('v', features, { expect: { d: { max: 1 }, e: { max: 1 } } })
    expect(problemsOf(customer, view)).toEqual([
      'feature view v.expect.d: feature "d" has an expectation of its own; keep one of the two',
      'feature view v.expect.e: feature view "v" has no feature "e"; did you mean "a"?',
      'feature view v.expect.a.min: min needs a number, the feature is string; use oneOf or notNull',
      'feature view v.expect.b.oneOf: expected values of type number, "x" came',
      'feature view v.expect.c.oneOf: expected a feature of one string, number or bool, "x" came',
    ])
    const empty = viewOf('v', { a: 'int32', b: 'int32' }, { expect: { a: {}, b: { min: 2, max: 1 } } })
    expect(problemsOf(customer, empty)).toEqual([
      'feature view v.expect.a: an expectation has at least one of min, max, notNull, oneOf and maxAge',
      'feature view v.expect.b: expected min to be at most max',
    ])
  })
})

describe('names that meet', () => {
  const taken = (name: string, scope: string, by: string, option = 'graphqlName'): string =>
    `"${name}" is taken among ${scope} by ${by}; rename one of them or set ${option} to another name`

  it('are refused within a view, made or explicit, and told apart by graphqlName', () => {
    const features = { a_b: 'int32', ab: { type: 'int32', graphqlName: 'aB' }, a_1: 'int32', a1: 'int32' }
    expect(problemsOf(customer, viewOf('v', features))).toEqual([
      `feature view v.features.ab: ${taken('aB', 'the fields of V', 'feature view v.features.a_b')}`,
      `feature view v.features.a1: ${taken('a1', 'the fields of V', 'feature view v.features.a_1')}`,
    ])
    expect(
      problemsOf(customer, viewOf('v', { a_1: 'int32', a1: { type: 'int32', graphqlName: 'a1Too' } })),
    ).toEqual([])
  })

  it('are refused between views, entities and services', () => {
    expect(problemsOf(customer, viewOf('a_b', { x: 'int32' }), viewOf('a__b', { x: 'int32' }))).toContain(
      `feature view a__b: ${taken('aB', 'the fields of Customer', 'feature view a_b')}`,
    )
    expect(problemsOf(customer, viewOf('customer', { x: 'int32' }))).toEqual([
      `feature view customer: ${taken('Customer', 'the types of the schema', 'entity customer')}`,
    ])
    expect(problemsOf(customer, trips, serviceOf('customer', ['trips', 'trips_today']))).toContain(
      `feature service customer: ${taken('customer', 'the fields of Query', 'entity customer')}`,
    )
    expect(problemsOf(customer, viewOf('customer_id', { x: 'int32' }))).toEqual([
      `feature view customer_id: ${taken('customerId', 'the fields of Customer', 'entity customer.joinKeys.customer_id')}`,
    ])
  })

  it('are refused where a plural meets a name, and where a plural is its singular', () => {
    const customers = entity('customers', { joinKeys: { id: 'int64' } })
    expect(problemsOf(customer, customers)).toEqual([
      `entity customers: ${taken('customers', 'the fields of Query', 'entity customer')}`,
    ])
    expect(problemsOf(entity('series', { joinKeys: { id: 'int64' }, plural: 'series' }))).toEqual([
      `entity series: ${taken('series', 'the fields of Query', 'entity series', 'plural')}`,
    ])
    expect(problemsOf(entity('series', { joinKeys: { id: 'int64' }, plural: 'allSeries' }))).toEqual([])
  })

  it('are refused with the types that are made beside a definition', () => {
    const asOf = entity('as_of', { joinKeys: { id: 'int64' }, graphqlName: 'customerAsOf' })
    expect(problemsOf(customer, asOf)).toContain(
      `entity as_of: ${taken('CustomerAsOf', 'the types of the schema', 'entity customer')}`,
    )
    expect(problemsOf(customer, trips, viewOf('trips_history', { x: 'int32' }))).toContain(
      `feature view trips_history: ${taken('TripsHistory', 'the types of the schema', 'feature view trips')}`,
    )
  })

  it('are refused for a feature and a join key of its entity', () => {
    expect(
      problemsOf(customer, viewOf('v', { customer_id: { type: 'int64', graphqlName: 'other' } })),
    ).toEqual([
      'feature view v.features.customer_id: "customer_id" is a join key of entity "customer"; rename the feature',
    ])
    expect(problemsOf(customer, viewOf('v', { n: { type: 'int64', graphqlName: 'customerId' } }))).toEqual([
      `feature view v.features.n: ${taken('customerId', 'the fields of V', 'feature view v (join key customer_id)')}`,
    ])
  })
})

describe('what a feature service cannot take', () => {
  const more = viewOf('more', { trips_today: 'int32' })

  it('is a value without a place in a vector', () => {
    const view = viewOf('t', {
      text: 'string',
      when: 'timestamp',
      raw: 'bytes',
      list: 'float64[]',
      flag: 'bool',
    })
    const service = featureService('s', [
      {
        kind: 'pick',
        view: 't',
        features: ['flag', 'text', 'when', 'raw', 'list'].map((name) => ({ name })),
      },
      request('city', 'string'),
    ])
    const message = (type: string): string =>
      `a vector holds int, float and bool values, ${type} came; leave it out of the service`
    expect(problemsOf(customer, view, service)).toEqual([
      `feature service s.features[0] (t.text): ${message('string')}`,
      `feature service s.features[0] (t.when): ${message('timestamp')}`,
      `feature service s.features[0] (t.raw): ${message('bytes')}`,
      `feature service s.features[0] (t.list): ${message('float64[]')}`,
      `feature service s.features[1] (request city): ${message('string')}`,
    ])
  })

  it('is two values of one name, unless one is renamed by `as`', () => {
    expect(
      problemsOf(customer, trips, more, serviceOf('s', ['trips', 'trips_today'], ['more', 'trips_today'])),
    ).toEqual([
      `feature service s.features: two values are named "trips_today"; pick it as { name: 'trips_today', as: 'another_name' }`,
    ])
    const renamed = featureService('s', [
      trips.pick('trips_today'),
      more.pick({ name: 'trips_today', as: 'more_trips' }),
    ])
    expect(problemsOf(customer, trips, more, renamed)).toEqual([])
    const twice = featureService('s', [trips.pick('trips_today', 'conv_rate', 'trips_today')])
    expect(problemsOf(customer, trips, twice)).toHaveLength(1)
  })

  it('is a request value with the name of a feature, or of another, or of a join key', () => {
    const clash = featureService('s', [trips.pick('trips_today'), request('trips_today', 'int32')])
    expect(problemsOf(customer, trips, clash)).toEqual([
      'feature service s.features: two values are named "trips_today"; rename the request value',
    ])
    const key = featureService('s', [trips.pick('trips_today'), request('customer_id', 'int64')])
    expect(problemsOf(customer, trips, key)).toEqual([
      'feature service s (customer_id): "customerId" is taken among the fields of S by feature service s (join key customer_id); rename one of them or set graphqlName to another name',
    ])
  })

  it('is views whose join keys have one name and different types', () => {
    const driver = entity('driver', { joinKeys: { customer_id: 'string' } })
    const view = featureView('driven', { entity: driver, features: { n: 'int32' } })
    expect(
      problemsOf(customer, driver, trips, view, serviceOf('s', ['trips', 'trips_today'], ['driven', 'n'])),
    ).toEqual([
      'feature service s.features: join key "customer_id" is int64 in entity "customer" and string in "driver"; a service needs them alike',
    ])
  })
})
