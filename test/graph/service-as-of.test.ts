import { describe, expect, it } from 'vitest'
import { formatTimestamp } from '../../src/definitions/timestamp.ts'
import { day, hour, now, row, type World } from './run-operation.ts'
import { smallWorld } from './small-world.ts'

const query = `query ($rows: [RiskV1AsOf!]!, $first: Int, $after: String) {
  riskV1AsOf(rows: $rows, first: $first, after: $after) {
    nodes { rowIndex row { customerId vector names statuses defaulted } }
    pageInfo { hasNextPage endCursor }
  }
}`

interface Page {
  readonly nodes: readonly { readonly rowIndex: number; readonly row: object }[]
  readonly pageInfo: { readonly hasNextPage: boolean; readonly endCursor: string | null }
}

function spineRow(customerId: number, asOf: number, knownAt?: number): object {
  const key = { customerId, merchantId: 'm1', deviceNo: 7, amount: customerId + 0.5, byPhone: true }
  const times = { asOf: formatTimestamp(asOf), ...(knownAt && { knownAt: formatTimestamp(knownAt) }) }
  return { ...key, ...times }
}

async function pageOf(world: World, variables: object): Promise<Page> {
  const { data, errors } = await world.run({ query, variables: { ...variables } })
  expect(errors).toBeUndefined()
  return data?.['riskV1AsOf'] as Page
}

const spine = [
  spineRow(1, now - hour),
  spineRow(1, now - 3 * hour),
  spineRow(1, now - 200 * day),
  spineRow(9, now),
  spineRow(1, now - hour),
]

describe('a service at the time of each row', () => {
  it('answers what the service answers at that time, in the order of the rows, duplicates kept', async () => {
    const world = await smallWorld()
    const { nodes, pageInfo } = await pageOf(world, { rows: spine })
    expect(nodes.map(({ rowIndex }) => rowIndex)).toEqual([0, 1, 2, 3, 4])
    expect(pageInfo.hasNextPage).toBe(false)
    for (const { rowIndex, row: answered } of nodes) {
      const { asOf, ...key } = spine[rowIndex] as { readonly asOf: string }
      const { data } = await world.run({
        query: `query ($key: RiskV1Key!, $asOf: Timestamp!) {
          riskV1(keys: [$key], asOf: $asOf) { customerId vector names statuses defaulted }
        }`,
        variables: { key, asOf },
      })
      expect([answered]).toEqual(data?.['riskV1'])
    }
    expect(new Set(nodes.map(({ row: answered }) => JSON.stringify(answered))).size).toBe(4)
  })

  it('reads the offline store once a page, and only the rows of the page', async () => {
    const world = await smallWorld()
    const first = await pageOf(world, { rows: spine, first: 2 })
    const second = await pageOf(world, { rows: spine, first: 2, after: first.pageInfo.endCursor })
    const last = await pageOf(world, { rows: spine, first: 2, after: second.pageInfo.endCursor })
    expect([first, second, last].map(({ pageInfo }) => pageInfo.hasNextPage)).toEqual([true, true, false])
    const { nodes } = await pageOf(world, { rows: spine })
    expect([first, second, last].flatMap((page) => page.nodes)).toEqual(nodes)
    // Two entities are read in a statement each.
    expect(world.reads.offline.slice(0, 2).map(({ rows }) => rows.length)).toEqual([2, 2])
  })

  it('does not see on a later page what arrived after the first', async () => {
    const world = await smallWorld()
    const rows = [spineRow(2, now), spineRow(2, now)]
    const first = await pageOf(world, { rows, first: 1 })
    await world.write('customer_daily', {
      ...row({ customer_id: 2 }, now - hour, { total: 77 }),
      createdTimestamp: now + 1,
    })
    const after = first.pageInfo.endCursor
    const second = await pageOf(world, { rows, first: 1, after })
    expect(second.nodes[0]?.row).toEqual(first.nodes[0]?.row)
  })

  it('refuses a cursor that no page of these rows gave, and a size of no page', async () => {
    const world = await smallWorld()
    const { pageInfo } = await pageOf(world, { rows: spine })
    for (const variables of [{ after: 'x' }, { after: pageInfo.endCursor, rows: [spine[0]] }, { first: 0 }]) {
      const { errors } = await world.run({ query, variables: { rows: spine, ...variables } })
      expect(errors?.[0]?.extensions?.['code']).toBe('BAD_USER_INPUT')
    }
  })

  it('names the row whose view could not be read', async () => {
    const world = await smallWorld()
    world.breakStore('offline')
    const { data, errors } = await world.run({ query, variables: { rows: spine.slice(0, 2) } })
    const page = data?.['riskV1AsOf'] as Page | undefined
    expect(page?.nodes[1]?.row).toMatchObject({ statuses: expect.arrayContaining(['UNAVAILABLE']) })
    expect(errors?.[0]?.path?.slice(0, 4)).toEqual(['riskV1AsOf', 'nodes', 0, 'row'])
  })
})
