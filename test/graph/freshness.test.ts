import { entity, featureView } from 'featuregraph'
import { describe, expect, it } from 'vitest'
import { formatTimestamp, type Micros } from '../../src/definitions/timestamp.ts'
import { day, hour, makeWorld, now, row, second, type World } from './run-operation.ts'

const till = entity('till', { joinKeys: { id: 'int64' } })
const view = (name: string, ttl: { readonly ttl?: string }) =>
  featureView(name, { entity: till, ...ttl, features: { n: 'int32' } })

const freshness = 'freshness { status eventTimestamp createdTimestamp ageSeconds expiresAt source }'

async function world(): Promise<World> {
  return makeWorld([
    till,
    view('hourly', { ttl: '1h' }),
    view('lasting', {}),
    view('longest', { ttl: '100000d' }),
  ])
}

/** The same row asked for online and as of now: design 3, "one document, two clocks". */
async function bothClocks(made: World, field: string): Promise<readonly unknown[]> {
  const { data, errors } = await made.run({
    query: `query($now: Timestamp) { a: till(id: 1) { v: ${field} { n ${freshness} } }
      b: till(id: 1, asOf: $now) { v: ${field} { n ${freshness} } } }`,
    variables: { now: formatTimestamp(now) },
  })
  expect(errors).toBeUndefined()
  return ['a', 'b'].map((root) => (Object(data)[root] as { readonly v: unknown }).v)
}

describe('freshness, on both clocks', () => {
  it.each([
    { ttl: 'within the ttl', age: hour - 1, field: 'hourly', status: 'PRESENT' },
    { ttl: 'at the ttl', age: hour, field: 'hourly', status: 'PRESENT' },
    { ttl: 'a microsecond behind the ttl', age: hour + 1, field: 'hourly', status: 'OUTSIDE_TTL' },
    { ttl: 'without a ttl', age: 3_000 * day, field: 'lasting', status: 'PRESENT' },
    { ttl: 'at maxAge', age: 30 * second, field: 'lasting(maxAge: "30s")', status: 'PRESENT' },
    {
      ttl: 'a microsecond behind maxAge',
      age: 30 * second + 1,
      field: 'lasting(maxAge: "30s")',
      status: 'OUTSIDE_TTL',
    },
    {
      ttl: 'behind the ttl, whatever maxAge',
      age: hour + 1,
      field: 'hourly(maxAge: "9d")',
      status: 'OUTSIDE_TTL',
    },
    { ttl: 'of no age at maxAge 0', age: 0, field: 'hourly(maxAge: "0s")', status: 'PRESENT' },
  ])('is $status $ttl', async ({ age, field, status }) => {
    const made = await world()
    await made.write(field.replace(/\(.*/, ''), row({ id: 1 }, now - age, { n: 7 }, null))
    const [online, offline] = await bothClocks(made, field)
    expect(online).toEqual({
      n: status === 'PRESENT' ? 7 : null,
      freshness: {
        status,
        eventTimestamp: formatTimestamp(now - age),
        createdTimestamp: null,
        ageSeconds: age / 1_000_000,
        expiresAt: field.startsWith('hourly') ? formatTimestamp(now - age + hour) : null,
        source: 'ONLINE',
      },
    })
    expect(offline).toEqual(withSource(online, 'OFFLINE'))
  })

  it('has no times where there is no row', async () => {
    const [online, offline] = await bothClocks(await world(), 'hourly')
    expect(online).toEqual({
      n: null,
      freshness: {
        status: 'NOT_FOUND',
        eventTimestamp: null,
        createdTimestamp: null,
        ageSeconds: null,
        expiresAt: null,
        source: 'ONLINE',
      },
    })
    expect(offline).toEqual(withSource(online, 'OFFLINE'))
  })

  it('of a ttl that ends behind the last instant that can be told expires never', async () => {
    const made = await world()
    await made.write('longest', row({ id: 1 }, now - day, { n: 1 }))
    for (const answer of await bothClocks(made, 'longest'))
      expect(answer).toMatchObject({ n: 1, freshness: { status: 'PRESENT', expiresAt: null } })
  })

  it('keeps a row that lies ahead of the clock offline, where its age is never negative', async () => {
    const made = await world()
    const ahead: Micros = now + 1
    await made.write('hourly', row({ id: 1 }, now, { n: 1 }), row({ id: 1 }, ahead, { n: 2 }))
    const [online, offline] = await bothClocks(made, 'hourly')
    expect(online).toMatchObject({ n: 1, freshness: { ageSeconds: 0 } })
    expect(offline).toMatchObject({ n: 1, freshness: { ageSeconds: 0 } })
  })
})

function withSource(answer: unknown, source: string): unknown {
  const { freshness: told, ...values } = answer as { readonly freshness: object }
  return { ...values, freshness: { ...told, source } }
}
