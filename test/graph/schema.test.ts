import { readFile } from 'node:fs/promises'
import { entity, featureService, featureView, request } from 'featuregraph'
import {
  buildSchema as buildFromText,
  execute,
  type GraphQLArgument,
  type GraphQLField,
  type GraphQLInputField,
  type GraphQLSchema,
  isEnumType,
  isInputObjectType,
  isObjectType,
  isScalarType,
  parse,
  printSchema,
} from 'graphql'
import { getMetadataStorage } from 'type-graphql'
import { beforeAll, describe, expect, it } from 'vitest'
import { buildSchema, printSdl } from '../../src/graph/build-schema.ts'
import { buildRegistry } from '../../src/registry/build-registry.ts'
import { loadRegistry } from '../../src/registry/load.ts'
import { trainingFormats } from '../../src/stores/training-file.ts'

const schemaOf = (...definitions: readonly unknown[]): GraphQLSchema =>
  buildSchema(buildRegistry(definitions.map((value, index) => ({ path: `definition ${index}`, value }))))

/** Names, arguments, nullability and order of everything that a caller sees; descriptions apart. */
function shapeOf(schema: GraphQLSchema): Record<string, unknown> {
  const shapes = Object.values(schema.getTypeMap())
    .filter(({ name }) => !name.startsWith('__'))
    .map((type): [string, unknown] => {
      if (isObjectType(type))
        return [type.name, { kind: 'type', fields: Object.values(type.getFields()).map(shapeOfField) }]
      if (isInputObjectType(type))
        return [type.name, { kind: 'input', fields: Object.values(type.getFields()).map(shapeOfInput) }]
      if (isEnumType(type))
        return [type.name, { kind: 'enum', values: type.getValues().map(({ name }) => name) }]
      return [type.name, { kind: isScalarType(type) ? 'scalar' : 'something else' }]
    })
  return Object.fromEntries(shapes)
}

const shapeOfInput = ({ name, type, defaultValue }: GraphQLArgument | GraphQLInputField): string =>
  `${name}: ${type}${defaultValue === undefined ? '' : ` = ${JSON.stringify(defaultValue)}`}`

const shapeOfField = ({ name, args, type }: GraphQLField<unknown, unknown>): string =>
  `${name}(${args.map(shapeOfInput).join(', ')}): ${type}`

/** What there is of the whole surface, for the demo's definitions. */
const surface = `
  scalar Int64
  scalar Timestamp
  scalar Duration
  enum RowStatus { PRESENT NOT_FOUND OUTSIDE_TTL UNAVAILABLE }
  enum FeatureStatus { PRESENT NULL_VALUE NOT_FOUND OUTSIDE_TTL UNAVAILABLE FAILED }
  enum FreshnessSource { ONLINE OFFLINE }
  enum FeatureViewKind { PLAIN BATCH STREAM ON_DEMAND }
  type Query {
    customer(customerId: Int64!, asOf: Timestamp, knownAt: Timestamp): Customer!
    customers(customerIds: [Int64!]!, asOf: Timestamp, knownAt: Timestamp): [Customer!]!
    customersAsOf(rows: [CustomerAsOf!]!): [Customer!]!
    fraudDetectionV1(keys: [FraudDetectionV1Key!]!, asOf: Timestamp, knownAt: Timestamp): [FraudDetectionV1!]!
    fraudDetectionV1AsOf(rows: [FraudDetectionV1AsOf!]!, first: Int = 1000, after: String): FraudDetectionV1AsOfConnection!
    fraudDetectionV1Columns(keys: [FraudDetectionV1Key!]!, asOf: Timestamp, knownAt: Timestamp): FraudDetectionV1Columns!
    entities: [Entity!]!
    featureViews(entity: String, owner: String, tags: [TagInput!]): [FeatureView!]!
    featureServices: [FeatureService!]!
    runs(kind: RunKind, view: String, since: Timestamp, first: Int = 100, after: String): RunConnection!
    violations(view: String, since: Timestamp, first: Int = 100, after: String): ViolationConnection!
    processes: [Process!]!
    registryVersions(first: Int = 100, after: String): RegistryVersionConnection!
    trainingSet(id: ID!): TrainingSet
    trainingSets(state: TrainingSetState, first: Int = 100, after: String): TrainingSetConnection!
  }
  enum TrainingSetState { QUEUED RUNNING SUCCEEDED FAILED CANCELLED EXPIRED }
  enum TrainingSetFormat { ${trainingFormats.join(' ').toUpperCase()} }
  input CreateTrainingSetInput {
    spineId: ID!
    service: String
    features: [String!]
    format: TrainingSetFormat = PARQUET
    knownAt: String
    columns: [ColumnMappingInput!]
    vector: Boolean = false
    statuses: Boolean = false
    fullNames: Boolean = false
    timeUnit: String
    timezone: String
    idempotencyKey: String
  }
  input ColumnMappingInput { column: String! is: String! }
  type TrainingSet {
    id: ID!
    state: TrainingSetState!
    progress: Float!
    rows: Int64
    knownAt: String
    createdAt: Timestamp!
    finishedAt: Timestamp
    expiresAt: Timestamp
    error: String
    errorCode: String
    cardUrl: String
    parts: [TrainingSetPart!]!
  }
  type TrainingSetPart { url: String! format: TrainingSetFormat! rows: Int64! bytes: Int64! sha256: String! }
  type TrainingSetConnection { nodes: [TrainingSet!]! pageInfo: PageInfo! }
  type RegistryVersion { version: Int! appliedAt: Timestamp! appliedBy: String! message: String changes: [String!]! }
  type RegistryVersionConnection { nodes: [RegistryVersion!]! pageInfo: PageInfo! }
  enum RunKind { IMPORT BATCH MATERIALIZE VALIDATE REBUILD TRAINING_SET EXPORT }
  enum RunState { RUNNING SUCCEEDED FAILED CANCELLED INTERRUPTED }
  type Run { id: ID! kind: RunKind! view: String asOf: Timestamp state: RunState! startedAt: Timestamp! finishedAt: Timestamp rowsRead: Int64 rowsWritten: Int64 error: String }
  enum ExpectationAction { WARN QUARANTINE REJECT }
  type Violation {
    view: String!
    feature: String
    key: [String!]!
    rule: ExpectationRule!
    value: String
    bound: String
    message: String!
    action: ExpectationAction!
    eventTimestamp: Timestamp
    recordedAt: Timestamp!
  }
  type ViolationConnection { nodes: [Violation!]! pageInfo: PageInfo! }
  type RunConnection { nodes: [Run!]! pageInfo: PageInfo! }
  type PageInfo { hasNextPage: Boolean! endCursor: String }
  type Customer {
    customerId: Int64!
    customerTransactionFeatures(maxAge: Duration): CustomerTransactionFeatures
    customerRealtimeFeatures(maxAge: Duration): CustomerRealtimeFeatures
    transactionAmountFeatures(transactionAmount: Float!): TransactionAmountFeatures
    customerTransactionFeaturesHistory(from: Timestamp!, to: Timestamp, first: Int = 100, after: String): CustomerTransactionFeaturesHistory!
  }
  type CustomerTransactionFeaturesHistory { nodes: [CustomerTransactionFeaturesStored!]! pageInfo: PageInfo! }
  type CustomerTransactionFeaturesStored {
    eventTimestamp: Timestamp!
    createdTimestamp: Timestamp
    pushed: Boolean!
    totalTransactions30d: Float
    avgTransactionAmount30d: Float
    maxTransactionAmount30d: Float
    transactionCount7d: Int64
    uniqueMerchants30d: Int64
  }
  type Mutation {
    pushCustomerTransactionFeatures(rows: [CustomerTransactionFeaturesPush!]!, to: PushTarget = BOTH, idempotencyKey: String): PushResult!
    deleteCustomer(customerId: Int64!): DeletionReceipt!
    createTrainingSet(input: CreateTrainingSetInput!): TrainingSet!
    cancelTrainingSet(id: ID!): TrainingSet!
    deleteTrainingSet(id: ID!): ID!
  }
  type DeletionReceipt { entity: String! deletedAt: Timestamp! counts: [DeletionCount!]! notReached: [String!]! }
  type DeletionCount { place: String! rows: Int64! }
  enum PushTarget { OFFLINE BOTH }
  input CustomerTransactionFeaturesPush {
    customerId: Int64!
    eventTimestamp: Timestamp!
    totalTransactions30d: Float
    avgTransactionAmount30d: Float
    maxTransactionAmount30d: Float
    transactionCount7d: Int64
    uniqueMerchants30d: Int64
  }
  type PushResult { accepted: Int! rejected: Int! rows: [PushedRow!]! }
  type PushedRow { row: Int! accepted: Boolean! online: OnlineWrite! code: String message: String violations: [FeatureViolation!]! }
  type Process { id: ID! kind: String! version: String! definitions: String! lastSeenAt: Timestamp! }
  enum OnlineWrite { WRITTEN OLDER NOT_YET NOT_ASKED UNAVAILABLE }
  input CustomerAsOf { customerId: Int64! asOf: Timestamp! knownAt: Timestamp }
  type Freshness {
    status: RowStatus!
    eventTimestamp: Timestamp
    createdTimestamp: Timestamp
    ageSeconds: Float
    expiresAt: Timestamp
    source: FreshnessSource!
    lagSeconds: Float
    reason: String
  }
  type CustomerTransactionFeatures {
    totalTransactions30d: Float
    avgTransactionAmount30d: Float
    maxTransactionAmount30d: Float
    transactionCount7d: Int64
    uniqueMerchants30d: Int64
    freshness: Freshness!
  }
  type TransactionAmountFeatures { amountToAverage: Float status: FeatureStatus! }
  type CustomerRealtimeFeatures {
    transactionsLastHour: Int64
    amountLastHour: Float
    failedTransactionsLastHour: Int64
    freshness: Freshness!
  }
  input FraudDetectionV1AsOf { customerId: Int64! transactionAmount: Float! asOf: Timestamp! knownAt: Timestamp }
  type FraudDetectionV1AsOfConnection { nodes: [FraudDetectionV1AsOfRow!]! pageInfo: PageInfo! }
  type FraudDetectionV1AsOfRow { rowIndex: Int! row: FraudDetectionV1! }
  input FraudDetectionV1Key { customerId: Int64! transactionAmount: Float! }
  type FraudDetectionV1 {
    customerId: Int64!
    totalTransactions30d: Float
    avgTransactionAmount30d: Float
    maxTransactionAmount30d: Float
    transactionCount7d: Int64
    transactionsLastHour: Int64
    amountLastHour: Float
    transactionAmount: Float
    vector: [Float!]!
    names: [String!]!
    statuses: [FeatureStatus!]!
    defaulted: [String!]!
    violations: [FeatureViolation!]!
  }
  enum ExpectationRule { MIN MAX NOT_NULL ONE_OF MAX_AGE ROW_COUNT }
  type FeatureViolation { feature: String! rule: ExpectationRule! value: String bound: String message: String! }
  type FraudDetectionV1Columns {
    names: [String!]!
    vectors: [[Float!]!]!
    vectorsBase64: String!
    customerId: [Int64!]!
    totalTransactions30d: [Float]!
    avgTransactionAmount30d: [Float]!
    maxTransactionAmount30d: [Float]!
    transactionCount7d: [Int64]!
    transactionsLastHour: [Int64]!
    amountLastHour: [Float]!
    transactionAmount: [Float]!
    statuses: FraudDetectionV1Statuses!
  }
  type FraudDetectionV1Statuses {
    totalTransactions30d: [FeatureStatus!]!
    avgTransactionAmount30d: [FeatureStatus!]!
    maxTransactionAmount30d: [FeatureStatus!]!
    transactionCount7d: [FeatureStatus!]!
    transactionsLastHour: [FeatureStatus!]!
    amountLastHour: [FeatureStatus!]!
    transactionAmount: [FeatureStatus!]!
  }
  type Tag { key: String! value: String! }
  input TagInput { key: String! value: String! }
  type JoinKey { name: String! graphqlName: String! type: String! }
  type Entity { name: String! graphqlName: String! description: String joinKeys: [JoinKey!]! featureViews: [FeatureView!]! registryVersion: Int! }
  type FeatureView {
    name: String!
    graphqlName: String!
    kind: FeatureViewKind!
    description: String
    owner: String
    tags: [Tag!]!
    entity: Entity!
    source: String
    ttlSeconds: Float
    online: Boolean!
    features: [Feature!]!
    services: [FeatureService!]!
    registryVersion: Int!
  }
  type Feature { name: String! graphqlName: String! type: String! description: String unit: String default: String deprecated: String }
  type FeatureService { name: String! graphqlName: String! description: String owner: String tags: [Tag!]! joinKeys: [JoinKey!]! requestValues: [ServiceFeature!]! vector: [ServiceFeature!]! registryVersion: Int! }
  type ServiceFeature { name: String! graphqlName: String! view: String role: String type: String! default: Float! required: Boolean! }
`

describe("the demo's schema", () => {
  let demo: GraphQLSchema
  let committed: string
  beforeAll(async () => {
    demo = buildSchema(await loadRegistry('schema'))
    committed = await readFile('schema/schema.graphql', 'utf8')
  })

  it('is the one that is committed; npx featuregraph sdl > schema/schema.graphql brings it up to date', () => {
    expect(printSdl(demo)).toBe(committed)
  })

  it('prints as it was parsed', () => {
    expect(`${printSchema(buildFromText(committed))}\n`).toBe(committed)
  })

  it('has the names and shapes of the surface, and nothing besides', () => {
    const expected = shapeOf(buildFromText(surface))
    const actual = shapeOf(demo)
    expect(Object.keys(actual).sort()).toEqual(Object.keys(expected).sort())
    for (const [name, shape] of Object.entries(expected)) {
      // The order of views in an entity is that of the definitions.
      expect({ [name]: inAnyOrder(name, actual[name]) }).toEqual({ [name]: inAnyOrder(name, shape) })
    }
  })
})

function inAnyOrder(name: string, shape: unknown): unknown {
  return name === 'Customer' ? [...(shape as { fields: readonly string[] }).fields].sort() : shape
}

const device = entity('merchant_device', {
  joinKeys: { merchant_id: 'string', device_no: 'int32' },
  description: 'A till',
})
const deviceRisk = featureView('device_risk', {
  entity: device,
  description: 'How risky a till is',
  owner: 'fraud',
  ttl: '36h',
  online: false,
  tags: { team: 'fraud', tier: 'gold' },
  features: {
    risk: { type: 'float64', description: 'Share of disputes', unit: 'ratio' },
    old_risk: { type: 'float32', deprecated: 'use risk' },
    seen_30d: 'timestamp[]',
    fingerprint: { type: 'bytes', graphqlName: 'finger_print' },
    plain: 'bool[]',
  },
})

describe('an entity with several join keys', () => {
  const types = shapeOf(schemaOf(device, deviceRisk)) as Record<
    string,
    { readonly fields: readonly string[] }
  >

  it('is reached by input objects that hold the keys flat, in their declared order', () => {
    expect(types['Query']?.fields.slice(0, 3)).toEqual([
      'merchantDevice(key: MerchantDeviceKey!, asOf: Timestamp, knownAt: Timestamp): MerchantDevice!',
      'merchantDevices(keys: [MerchantDeviceKey!]!, asOf: Timestamp, knownAt: Timestamp): [MerchantDevice!]!',
      'merchantDevicesAsOf(rows: [MerchantDeviceAsOf!]!): [MerchantDevice!]!',
    ])
    expect(types['MerchantDeviceKey']?.fields).toEqual(['merchantId: String!', 'deviceNo: Int!'])
    expect(types['MerchantDeviceAsOf']?.fields).toEqual([
      ...['merchantId: String!', 'deviceNo: Int!', 'asOf: Timestamp!', 'knownAt: Timestamp'],
    ])
    expect(types['MerchantDevice']?.fields).toEqual([
      ...['merchantId(): String!', 'deviceNo(): Int!', 'deviceRisk(maxAge: Duration): DeviceRisk'],
      'deviceRiskHistory(from: Timestamp!, to: Timestamp, first: Int = 100, after: String): DeviceRiskHistory!',
    ])
  })

  it('has views whose fields are nullable, of the type declared, lists of values that are never null', () => {
    expect(types['DeviceRisk']?.fields).toEqual([
      ...[
        'risk(): Float',
        'oldRisk(): Float',
        'seen30d(): [Timestamp!]',
        'finger_print(): Bytes',
        'plain(): [Boolean!]',
      ],
      'freshness(): Freshness!',
    ])
    expect(types).toHaveProperty('Bytes')
  })
})

describe('plurals', () => {
  it.each([
    [entity('city', { joinKeys: { city_id: 'int32' } }), 'cities', 'cityIds'],
    [entity('day', { joinKeys: { day: 'string' } }), 'days', 'days'],
    [entity('tax', { joinKeys: { box: 'string' } }), 'taxes', 'boxes'],
    [entity('branch', { joinKeys: { address: 'string' } }), 'branches', 'addresses'],
    [entity('person', { joinKeys: { id: 'int64' }, plural: 'people' }), 'people', 'ids'],
    [entity('house', { joinKeys: { id: 'int64' }, graphqlName: 'Home' }), 'Homes', 'ids'],
  ])('%j', (definition, plural, listArgument) => {
    const fields = schemaOf(definition).getQueryType()?.getFields() ?? {}
    expect(Object.keys(fields).slice(1, 3)).toEqual([plural, `${plural}AsOf`])
    expect(fields[plural]?.args[0]?.name).toBe(listArgument)
  })
})

describe('descriptions', () => {
  const schema = schemaOf(
    device,
    deviceRisk,
    featureService(
      'tills_v1',
      [deviceRisk.pick('risk'), request('amount', 'float64', { description: 'In francs.' })],
      { description: 'What the model takes', owner: 'ml', tags: { stage: 'live' } },
    ),
  )
  const viewText =
    'How risky a till is. Owner: fraud. Ttl: 36h. Not in the online store: read offline. Tags: team=fraud, tier=gold.'

  function fieldsOf(name: string) {
    const type = schema.getType(name)
    if (!isObjectType(type) && !isInputObjectType(type)) throw new Error(`${name} has no fields`)
    return type.getFields()
  }

  it('tell the text, the owner, the ttl and the tags of a view, at its type and at its field', () => {
    expect(schema.getType('DeviceRisk')?.description).toBe(viewText)
    expect(fieldsOf('MerchantDevice')['deviceRisk']?.description).toBe(viewText)
    expect(schema.getType('MerchantDevice')?.description).toBe('A till.')
  })

  it('tell the text and the unit of a feature, wherever it is served', () => {
    expect(fieldsOf('DeviceRisk')['risk']?.description).toBe('Share of disputes. Unit: ratio.')
    expect(fieldsOf('DeviceRisk')['plain']?.description ?? null).toBeNull()
    for (const type of ['TillsV1', 'TillsV1Columns', 'TillsV1Statuses'])
      expect(fieldsOf(type)['risk']?.description).toBe('Share of disputes. Unit: ratio.')
    expect(fieldsOf('TillsV1Key')['amount']?.description).toBe('In francs.')
  })

  it('tell the text, the owner and the tags of a service', () => {
    expect(fieldsOf('Query')['tillsV1']?.description).toBe(
      'What the model takes. Owner: ml. Tags: stage=live.',
    )
  })

  it('mark a feature as deprecated with its reason', () => {
    const { oldRisk, risk } = fieldsOf('DeviceRisk')
    expect(oldRisk?.deprecationReason).toBe('use risk')
    expect(risk?.deprecationReason).toBeUndefined()
  })
})

describe('schemas of one process', () => {
  const definitionsOf = (name: string): readonly unknown[] => {
    const made = entity(name, { joinKeys: { [`${name}_id`]: 'int64' } })
    return [made, featureView(`${name}_view`, { entity: made, features: { [`${name}_value`]: 'int32' } })]
  }

  it('do not mix', () => {
    const first = schemaOf(...definitionsOf('apple'))
    const text = printSdl(first)
    const second = schemaOf(...definitionsOf('pear'))
    expect(printSdl(second)).not.toContain('apple')
    expect(printSdl(second).replaceAll('pear', 'apple').replaceAll('Pear', 'Apple')).toBe(text)
    expect(printSdl(first)).toBe(text)
  })

  it('leave nothing behind in type-graphql, which keeps its declarations for the whole process', () => {
    schemaOf(...definitionsOf('apple'))
    const declared = getMetadataStorage().objectTypes.length
    for (let build = 0; build < 3; build += 1) schemaOf(...definitionsOf(`apple_${build}`))
    expect(getMetadataStorage().objectTypes).toHaveLength(declared)
  })

  it('go on answering after thirteen more were built', async () => {
    const ask = (schema: GraphQLSchema, name: string) =>
      execute({
        schema,
        document: parse(
          `{ entities { name featureViews { name features { name } entity { name } } } __type(name: "${name}") { name } }`,
        ),
      })
    const schemas = Array.from({ length: 14 }, (_, index) => ({
      name: `fruit_${index}`,
      schema: schemaOf(...definitionsOf(`fruit_${index}`)),
    }))
    for (const { name, schema } of schemas) {
      expect(await ask(schema, `Fruit${name.slice(6)}`)).toEqual({
        data: {
          entities: [
            {
              name,
              featureViews: [
                { name: `${name}_view`, features: [{ name: `${name}_value` }], entity: { name } },
              ],
            },
          ],
          __type: { name: `Fruit${name.slice(6)}` },
        },
      })
    }
  })
})

describe('the catalogue', () => {
  it('filters views by entity, owner and all of the tags', async () => {
    const other = entity('other', { joinKeys: { id: 'int64' } })
    const schema = schemaOf(
      device,
      other,
      deviceRisk,
      featureView('second', {
        entity: device,
        owner: 'ml',
        tags: { team: 'fraud' },
        features: { a: 'int32' },
      }),
      featureView('third', {
        entity: other,
        owner: 'fraud',
        tags: { tier: 'gold' },
        features: { a: 'int32' },
      }),
    )
    const names = async (filter: string) => {
      const { data } = await execute({ schema, document: parse(`{ featureViews${filter} { name } }`) })
      return (Object(data)['featureViews'] as readonly { name: string }[]).map(({ name }) => name)
    }
    expect(await names('')).toEqual(['device_risk', 'second', 'third'])
    expect(await names('(entity: "merchant_device")')).toEqual(['device_risk', 'second'])
    expect(await names('(entity: "merchantDevice")')).toEqual([])
    expect(await names('(owner: "fraud")')).toEqual(['device_risk', 'third'])
    expect(await names('(tags: [{ key: "team", value: "fraud" }])')).toEqual(['device_risk', 'second'])
    expect(await names('(tags: [{ key: "team", value: "fraud" }, { key: "tier", value: "gold" }])')).toEqual([
      'device_risk',
    ])
    expect(await names('(entity: null, owner: null, tags: null)')).toEqual(['device_risk', 'second', 'third'])
  })
  it('says what a service takes, under the names of the registry and of GraphQL', async () => {
    const schema = schemaOf(
      device,
      deviceRisk,
      featureService('till_v1', [
        deviceRisk.pick({ name: 'risk', as: 'till_risk' }),
        request('basket_value', 'float64'),
        request('item_count', 'int32', { default: 1 }),
      ]),
    )
    const text = `{ featureServices {
      graphqlName
      joinKeys { name graphqlName type }
      requestValues { name graphqlName type required }
      vector { name graphqlName view required }
    } }`
    const { data } = await execute({ schema, document: parse(text) })
    expect(JSON.parse(JSON.stringify(data))['featureServices']).toEqual([
      {
        graphqlName: 'tillV1',
        joinKeys: [
          { name: 'merchant_id', graphqlName: 'merchantId', type: 'string' },
          { name: 'device_no', graphqlName: 'deviceNo', type: 'int32' },
        ],
        requestValues: [
          { name: 'basket_value', graphqlName: 'basketValue', type: 'float64', required: true },
          { name: 'item_count', graphqlName: 'itemCount', type: 'int32', required: false },
        ],
        vector: [
          { name: 'till_risk', graphqlName: 'tillRisk', view: 'device_risk', required: false },
          { name: 'basket_value', graphqlName: 'basketValue', view: null, required: true },
          { name: 'item_count', graphqlName: 'itemCount', view: null, required: false },
        ],
      },
    ])
  })
})
