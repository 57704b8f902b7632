import DataLoader from 'dataloader'
import { GraphQLError } from 'graphql'
import { describe, expect, it } from 'vitest'
import { BadUserInput, Forbidden, LimitExceeded, StoreFailed, Unauthenticated } from '../../src/errors.ts'
import { executionError, formatError, refusal } from '../../src/graph/graphql-error.ts'
import type { RowLoader } from '../../src/graph/row-sources.ts'
import { smallWorld } from './small-world.ts'

const maskedMessage = 'the gateway failed; its log has the details under this request id'
const query = '{ customer(customerId: 1) { customerId customerDaily { total } } }'

const failingLoad = (error: unknown): RowLoader =>
  new DataLoader(() => Promise.reject(error), { cache: false })

/** Every row throws when a view's field asks for it. */
const failingRows = (error: unknown): RowLoader =>
  new DataLoader(
    async (needs) =>
      needs.map(({ views }) =>
        views.map((view) => {
          const row = (): never => {
            throw error
          }
          const why = () => ({ code: 'UNAVAILABLE', reason: 'STORE_FAILED', message: '' }) as const
          const counts = { PRESENT: 0, NOT_FOUND: 0, OUTSIDE_TTL: 0, UNAVAILABLE: 0 }
          return { view, why, row, peek: row, counts, numbers: () => row, json: () => row }
        }),
      ),
    { cache: false },
  )

const secrets = [
  new Error('connect ECONNREFUSED db.internal:5432'),
  new TypeError("Cannot read properties of undefined (reading 'password')"),
  new StoreFailed('select * from "features"."customer_daily"'),
  new GraphQLError('db.internal said no', { extensions: { host: 'db.internal' } }),
  new GraphQLError('db.internal said no', { extensions: { code: 'STORE_FAILED' } }),
  Object.assign(new Error('db.internal'), { extensions: { code: 'OOPS' } }),
]

describe('an error that nobody foresaw', () => {
  it.each(secrets)('is masked and reported where a root fails, by both engines: %s', async (secret) => {
    const world = await smallWorld()
    for (let use = 1; use <= 3; use += 1) {
      world.forget()
      expect(await world.run({ query }, { rows: failingLoad(secret) })).toEqual({
        data: null,
        errors: [
          {
            message: maskedMessage,
            path: ['customer'],
            locations: [{ line: 1, column: 3 }],
            extensions: { code: 'INTERNAL_SERVER_ERROR', requestId: 'request-1' },
          },
        ],
      })
      expect(world.masked).toHaveLength(1)
      expect(originalOf(world.masked[0])).toBe(secret)
    }
  })

  it.each(secrets)('is masked and reported where a view fails, by both engines: %s', async (secret) => {
    const world = await smallWorld()
    for (let use = 1; use <= 3; use += 1) {
      world.forget()
      const answer = await world.run({ query }, { rows: failingRows(secret) })
      expect(answer).toEqual({
        data: { customer: { customerId: 1, customerDaily: null } },
        errors: [
          {
            message: maskedMessage,
            path: ['customer', 'customerDaily'],
            locations: [{ line: 1, column: 40 }],
            extensions: { code: 'INTERNAL_SERVER_ERROR', requestId: 'request-1' },
          },
        ],
      })
      expect(world.masked.map(originalOf)).toEqual([secret])
    }
  })

  it('in a store leaves its views unavailable', async () => {
    const world = await smallWorld()
    world.breakStore('online', new TypeError('secret'))
    const { data, errors } = await world.run({ query })
    expect(data).toEqual({ customer: { customerId: 1, customerDaily: { total: null } } })
    expect(errors?.map(({ extensions }) => extensions?.['code'])).toEqual(['UNAVAILABLE'])
    expect(JSON.stringify(errors)).not.toContain('secret')
  })
})

describe("a caller's mistake", () => {
  it.each([
    {
      text: '{ customer(customerId: 1) { nothing } }',
      code: 'GRAPHQL_VALIDATION_FAILED',
      said: /Cannot query field "nothing"/,
    },
    { text: '{ customer(customerId: 1) {', code: 'GRAPHQL_PARSE_FAILED', said: /^Syntax Error/ },
    {
      text: '{ customer(customerId: 1.5) { customerId } }',
      code: 'GRAPHQL_VALIDATION_FAILED',
      said: /expected a 64-bit integer/,
    },
    {
      text: '{ customer { customerId } }',
      code: 'GRAPHQL_VALIDATION_FAILED',
      said: /argument "customerId" of type "Int64!" is required/,
    },
  ])('keeps its words, and gets its code and the request id: $text', async ({ text, code, said }) => {
    const world = await smallWorld()
    const { data, errors } = await world.run({ query: text })
    expect(data).toBeUndefined()
    expect(errors).toHaveLength(1)
    expect(errors?.[0]?.message).toMatch(said)
    expect(errors?.[0]?.extensions).toMatchObject({ code, requestId: 'request-1' })
    expect(world.masked).toEqual([])
  })

  it.each([
    { operationName: 'C', said: 'Unknown operation named "C".' },
    { said: 'Must provide operation name if query contains multiple operations.' },
  ])('in the name of the operation: $said', async ({ said, ...named }) => {
    const world = await smallWorld()
    const text = 'query A { entities { name } } query B { entities { name } }'
    expect(await world.run({ query: text, ...named })).toEqual({
      errors: [
        { message: said, extensions: { code: 'OPERATION_RESOLUTION_FAILURE', requestId: 'request-1' } },
      ],
    })
  })

  it('in a literal is shown with its place', async () => {
    const world = await smallWorld()
    const { errors } = await world.run({
      query: '{ customer(customerId: "one", asOf: "2026-11-23") { customerDaily(maxAge: "1") { total } } }',
    })
    expect(errors?.map(({ message, locations }) => [message.split(':')[0], locations?.[0]?.column])).toEqual([
      ['expected a 64-bit integer', 24],
      ['expected an RFC 3339 timestamp with an explicit offset, as 2026-01-31T09', 37],
      ['expected a whole number and a unit, as 250ms, 30s, 5m, 1h or 90d', 75],
    ])
  })
})

describe('formatError', () => {
  const reported: unknown[] = []
  const format = (message: string, code: string | undefined) =>
    formatError(
      { message, path: ['a', 0], ...(code === undefined ? {} : { extensions: { code, view: 'v' } }) },
      message,
      { report: (error) => reported.push(error), suggestions: true },
    )

  it.each([
    ...['BAD_USER_INPUT', 'LIMIT_EXCEEDED', 'UNAUTHENTICATED', 'FORBIDDEN', 'UNAVAILABLE'],
    ...['GRAPHQL_PARSE_FAILED', 'GRAPHQL_VALIDATION_FAILED', 'OPERATION_RESOLUTION_FAILURE', 'BAD_REQUEST'],
    ...['PERSISTED_QUERY_NOT_FOUND', 'PERSISTED_QUERY_NOT_SUPPORTED'],
  ])('passes on what is meant for callers: %s', (code) => {
    reported.length = 0
    expect(format('words', code)).toEqual({
      message: 'words',
      path: ['a', 0],
      extensions: { code, view: 'v' },
    })
    expect(reported).toEqual([])
  })

  it.each([
    undefined,
    'INTERNAL_SERVER_ERROR',
    'STORE_FAILED',
    'INVALID_DEFINITIONS',
    'SOMETHING',
    'toString',
  ])('masks everything else: %s', (code) => {
    reported.length = 0
    expect(format('secret', code)).toEqual({
      message: maskedMessage,
      path: ['a', 0],
      extensions: { code: 'INTERNAL_SERVER_ERROR' },
    })
    expect(reported).toEqual(['secret'])
  })

  it.each([
    [
      'Variable "$id" got invalid value 9007199254740992; x',
      'Variable "$id" got invalid value that JSON has rounded; x',
    ],
    [
      'Variable "$id" got invalid value -9007199254740992 at "a"',
      'Variable "$id" got invalid value that JSON has rounded at "a"',
    ],
    [
      'Variable "$id" got invalid value 12345678901234567000000; x',
      'Variable "$id" got invalid value that JSON has rounded; x',
    ],
    [
      'Variable "$id" got invalid value "9007199254740993"; x',
      'Variable "$id" got invalid value "9007199254740993"; x',
    ],
    ['Variable "$id" got invalid value 2147483648; x', 'Variable "$id" got invalid value 2147483648; x'],
  ])('does not quote digits that JSON has rounded: %s', (message, shown) => {
    expect(format(message, 'BAD_USER_INPUT').message).toBe(shown)
  })
})

describe('refusal', () => {
  it.each([
    [new BadUserInput('b'), 'BAD_USER_INPUT', 400],
    [new LimitExceeded('l'), 'LIMIT_EXCEEDED', 400],
    [new Unauthenticated('u'), 'UNAUTHENTICATED', 401],
    [new Forbidden('f'), 'FORBIDDEN', 403],
  ])('carries the code and the HTTP status: %s', (error, code, status) => {
    expect(refusal(error)).toMatchObject({ message: error.message, extensions: { code, http: { status } } })
  })

  it('of an error that refuses no request carries neither', () => {
    expect(refusal(new StoreFailed('s')).extensions).toEqual({})
    expect(executionError(new GraphQLError('s', { originalError: new StoreFailed('s') })).extensions).toEqual(
      {},
    )
  })
})

/** What Apollo reports is a GraphQLError around what was thrown, unless that is one itself. */
function originalOf(error: unknown): unknown {
  return error instanceof GraphQLError ? (error.originalError ?? error) : error
}
