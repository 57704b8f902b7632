import { getOperationAST, parse, validate } from 'graphql'
import { describe, expect, it } from 'vitest'
import { addReadBytes, countRepeats, TooManyBytes } from '../../src/graph/answer-size.ts'
import { workClassifier } from '../../src/graph/operation-work.ts'
import { type WorkClass, workClasses } from '../../src/graph/work.ts'
import { smallWorld } from './small-world.ts'

const { schema } = await smallWorld()

function operationOf(query: string) {
  const document = parse(query)
  expect(validate(schema, document)).toEqual([])
  const operation = getOperationAST(document)
  if (!operation) throw new Error('one operation was expected')
  return { document, operation }
}

function classOf(query: string, variables: Readonly<Record<string, unknown>> = {}): WorkClass {
  const { document, operation } = operationOf(query)
  return workClassifier(schema, document, operation)(variables)
}

const online = 'customer(customerId: 1) { customerDaily { total } }'
const spine = 'customersAsOf(rows: []) { customerDaily { total } }'
const vector = '(keys: [{ customerId: 1, merchantId: "m", deviceNo: 1, amount: 1, byPhone: true }]) { names }'
const timed = 'query Q($at: Timestamp) { customer(customerId: 1, asOf: $at) { customerDaily { total } } }'
const defaulted = timed.replace('Timestamp)', 'Timestamp = "2026-01-01T00:00:00Z")')

describe('the class of an operation', () => {
  it.each<[WorkClass, string, Readonly<Record<string, unknown>>?]>([
    ['online', `{ ${online} }`],
    ['online', `{ riskV1${vector} }`],
    ['online', `{ __typename ${online} }`],
    ['catalogue', '{ featureServices { name } }'],
    ['catalogue', '{ __schema { types { name } } }'],
    ['catalogue', `{ ${online} featureServices { name } }`],
    ['asOf', `{ ${spine} }`],
    ['asOf', '{ customer(customerId: 1, asOf: "2026-01-01T00:00:00Z") { customerDaily { total } } }'],
    ['asOf', '{ customer(customerId: 1, knownAt: "2026-01-01T00:00:00Z") { customerDaily { total } } }'],
    ['online', '{ customer(customerId: 1, asOf: null) { customerDaily { total } } }'],
    ['online', timed, {}],
    ['online', timed, { at: null }],
    ['asOf', timed, { at: '2026-01-01T00:00:00Z' }],
    ['asOf', defaulted, {}],
    ['online', defaulted, { at: null }],
    ['asOf', '{ customer(customerId: 1) { ... on Customer { customerProfile { age } } } }'],
    ['asOf', `{ ${online} featureServices { name } ${spine} }`],
    ['asOf', 'query Q { ...all } fragment all on Query { riskV1AsOf(rows: []) { nodes { rowIndex } } }'],
    [
      'asOf',
      '{ customer(customerId: 1) { customerDailyHistory(from: "2026-01-01T00:00:00Z") { nodes { total } } } }',
    ],
    ['ingestion', 'mutation { deleteCustomer(customerId: 1) { __typename } }'],
    [
      'training',
      'mutation { deleteCustomer(customerId: 1) { __typename } cancelTrainingSet(id: "x") { id } }',
    ],
  ])('is %s of %s', (expected, query, variables) => {
    expect(classOf(query, variables)).toBe(expected)
  })

  it('is of every root field of the schema one of the classes, none of them by chance online', () => {
    for (const type of [schema.getQueryType(), schema.getMutationType()])
      for (const field of Object.values(type?.getFields() ?? {}))
        expect(workClasses).toContain(field.extensions['featuregraphWork'])
  })
})

describe('the bytes that a request reads', () => {
  it.each([
    [1, `{ ${online} }`],
    [3, '{ customer(customerId: 1) { customerDaily { a: segment b: segment segment total } } }'],
    [
      4,
      '{ customer(customerId: 1) { x: customerDaily { a: segment b: segment } y: customerDaily { a: segment b: segment } } }',
    ],
    [1, `{ x: ${online} y: ${online} }`],
    [
      2,
      'query Q { customer(customerId: 1) { customerDaily { ...s ...s t: segment } } } fragment s on CustomerDaily { segment }',
    ],
  ])('may stand in %i places of one root field of %s', (expected, query) => {
    const { document, operation } = operationOf(query)
    expect(countRepeats(document, operation)).toBe(expected)
  })

  it('are counted for every place, and end the read past the limit', () => {
    const counted = { limit: 100, repeats: 3, total: 0 }
    addReadBytes(counted, 33)
    expect(counted.total).toBe(99)
    expect(() => addReadBytes(counted, 1)).toThrow(TooManyBytes)
    expect(counted.total).toBe(102)
  })
})
