import { describe, expect, it } from 'vitest'
import { formatTimestamp, type Micros } from '../../src/definitions/timestamp.ts'
import { type Answer, day, hour, now, row } from './run-operation.ts'
import { smallWorld } from './small-world.ts'

const recent = `customerRecentHistory(from: $from, to: $to, first: $first, after: $after) {
  nodes { eventTimestamp createdTimestamp count amount } pageInfo { hasNextPage endCursor }
}`
const declared = 'query ($from: Timestamp!, $to: Timestamp, $first: Int, $after: String'

/** Customer 1 has rows every second hour, the third one of them corrected twice; another customer has one. */
async function world(): ReturnType<typeof smallWorld> {
  const made = await smallWorld()
  const at = (hours: number): Micros => now - hours * hour
  await made.write(
    'customer_recent',
    ...[10, 8, 6, 4].map((hours) => row({ customer_id: 1 }, at(hours), { count: hours })),
    row({ customer_id: 1 }, at(6), { count: 61 }, at(5)),
    row({ customer_id: 1 }, at(6), { count: 60 }, null),
    row({ customer_id: 7 }, at(6), { count: 7 }),
  )
  made.forget()
  return made
}

interface Page {
  readonly nodes: readonly { readonly count: number | null; readonly eventTimestamp: string }[]
  readonly pageInfo: { readonly hasNextPage: boolean; readonly endCursor: string | null }
}

function pageOf({ data, errors }: Answer): Page {
  expect(errors).toBeUndefined()
  return (data as { customer: { customerRecentHistory: Page } }).customer.customerRecentHistory
}

const counts = (page: Page) => page.nodes.map(({ count }) => count)

describe('the history of a view', () => {
  it('has every created version of the rows from one time until before another, newest first, whatever the ttl', async () => {
    const { run } = await world()
    const query = `${declared}, $asOf: Timestamp, $knownAt: Timestamp) { customer(customerId: 1, asOf: $asOf, knownAt: $knownAt) { ${recent} } }`
    const ask = async (variables: Readonly<Record<string, Micros>>) => {
      const times = Object.entries(variables).map(([name, micros]) => [name, formatTimestamp(micros)])
      return counts(pageOf(await run({ query, variables: Object.fromEntries(times) })))
    }
    expect(await ask({ from: now - day })).toEqual([2, 4, 61, 6, 60, 8, 10])
    expect(await ask({ from: now - 8 * hour, to: now - 4 * hour })).toEqual([61, 6, 60, 8])
    expect(await ask({ from: now - day, asOf: now - 6 * hour })).toEqual([61, 6, 60, 8, 10])
    expect(await ask({ from: now - day, asOf: now - 6 * hour, to: now - 7 * hour })).toEqual([8, 10])
    expect(await ask({ from: now - day, knownAt: now - 6 * hour })).toEqual([6, 60, 8, 10])
    expect(await ask({ from: now })).toEqual([])
  })

  it('comes in pages that agree, whatever arrives between them', async () => {
    const { run, write } = await world()
    const query = `${declared}) { customer(customerId: 1) { ${recent} } }`
    const found: (number | null)[] = []
    let after: string | null = null
    do {
      const page: Page = pageOf(
        await run({ query, variables: { from: formatTimestamp(now - day), first: 2, after } }),
      )
      found.push(...counts(page))
      after = page.pageInfo.hasNextPage ? page.pageInfo.endCursor : null
      // Created in the future of the cursor: by the machine's own clock.
      const created = Date.now() * 1_000 + day
      await write('customer_recent', row({ customer_id: 1 }, now - 9 * hour, { count: -1 }, created))
    } while (after !== null)
    expect(found).toEqual([2, 4, 61, 6, 60, 8, 10])
  })

  it('is read for many entities and aliases by one statement, each at its own time', async () => {
    const made = await world()
    const { data, errors } = await made.run({
      query: `${declared}) { customersAsOf(rows: [
          { customerId: 1, asOf: "${formatTimestamp(now - 5 * hour)}", knownAt: "${formatTimestamp(now - 6 * hour)}" }
          { customerId: 7, asOf: "${formatTimestamp(now)}" }
          { customerId: 7, asOf: "${formatTimestamp(now - 7 * hour)}" }
        ]) { ${recent} } }`,
      variables: { from: formatTimestamp(now - day) },
    })
    expect(errors).toBeUndefined()
    const pages = (data as { customersAsOf: { customerRecentHistory: Page }[] }).customersAsOf
    expect(pages.map((one) => counts(one.customerRecentHistory))).toEqual([[6, 60, 8, 10], [7], []])
    expect(made.historyReads.map(({ ranges }) => ranges.length)).toEqual([3])
    expect(made.reads.offline).toEqual([])
  })

  it('counts by the size of its pages among the entities that a request may ask for', async () => {
    const { run } = await smallWorld({ maxEntities: 1_000 })
    const from = `from: "${formatTimestamp(now - day)}"`
    const ids = Array.from({ length: 11 }, (_, index) => index + 1).join(', ')
    const refused = [
      `{ customers(customerIds: [${ids}]) { customerRecentHistory(${from}) { nodes { count } } } }`,
      `query ($n: Int = 600) { customer(customerId: 1) {
        a: customerRecentHistory(${from}, first: $n) { nodes { count } } ...more } }
       fragment more on Customer { b: customerDailyHistory(${from}, first: 500) { nodes { count } } }`,
    ]
    for (const query of refused) {
      const { errors } = await run({ query })
      expect(errors?.[0]?.extensions?.['code']).toBe('LIMIT_EXCEEDED')
      expect(errors?.[0]?.message).toContain('1100 came')
    }
    const allowed = [
      `{ customers(customerIds: [1, 2]) { customerRecentHistory(${from}, first: 500) { nodes { count } } } }`,
      `query ($no: Boolean = false) { customer(customerId: 1) { customerRecentHistory(${from}, first: 1000) { nodes { count } }
        b: customerDailyHistory(${from}, first: 500) @include(if: $no) { nodes { count } } } }`,
    ]
    for (const query of allowed) expect((await run({ query })).errors).toBeUndefined()
  })

  it('refuses sizes and cursors that are none, and says when the store does not answer', async () => {
    const { run, breakStore } = await world()
    const query = `${declared}) { customer(customerId: 1) { ${recent} } }`
    const from = formatTimestamp(now - day)
    for (const variables of [
      { from, first: 0 },
      { from, first: 1_001 },
      { from, after: 'bm90aGluZw' },
    ]) {
      const { errors } = await run({ query, variables })
      expect(errors?.[0]?.extensions?.['code']).toMatch(/BAD_USER_INPUT|LIMIT_EXCEEDED/)
    }
    breakStore('offline')
    const { errors } = await run({ query, variables: { from } })
    expect(errors?.[0]).toMatchObject({
      message: 'the stored rows of customerRecent cannot be read at present',
      extensions: { code: 'UNAVAILABLE' },
    })
  })
})
