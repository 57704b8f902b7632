import { entity, featureView } from 'featuregraph'
import { expect, it } from 'vitest'
import type { Caller } from '../../src/graph/context.ts'
import { makeWorld, now } from './run-operation.ts'

const writer: Caller = { name: 'writer', rights: new Set(['read', 'write']) }
const person = entity('person', { joinKeys: { person_id: 'int64' } })
const spending = featureView('spending', {
  entity: person,
  features: { total: 'float64' },
  expect: { total: { min: 0, max: 10_000, action: 'quarantine' } },
})
const height = featureView('height', {
  entity: person,
  features: { metres: 'float64' },
  expect: { metres: { max: 3 } },
})

it('a push whose row breaks what is only warned of is accepted, and its answer says what it broke', async () => {
  const world = await makeWorld([person, height])
  const push = `mutation { pushHeight(rows: [
    { personId: 1, eventTimestamp: "2026-11-23T11:00:00Z", metres: 4 }
    { personId: 2, eventTimestamp: "2026-11-23T11:00:00Z", metres: 2 }
  ]) { accepted rows { accepted violations { feature rule value bound message } } } }`
  const pushed = await world.run({ query: push }, { caller: writer })
  const tall = { feature: 'metres', rule: 'MAX', value: '4', bound: '3', message: 'Value 4 above maximum 3' }
  expect(pushed.data?.['pushHeight']).toEqual({
    accepted: 2,
    rows: [
      { accepted: true, violations: [tall] },
      { accepted: true, violations: [] },
    ],
  })
})

it('what a push broke is reported in pages, newest first, with the seed’s words', async () => {
  const world = await makeWorld([person, spending])
  const push = `mutation { pushSpending(rows: [
    { personId: 1, eventTimestamp: "2026-11-23T11:00:00Z", total: 12000 }
    { personId: 2, eventTimestamp: "2026-11-23T11:00:00Z", total: 5 }
    { personId: 3, eventTimestamp: "2026-11-23T11:00:00Z", total: -1 }
  ]) { accepted rejected rows { code message } } }`
  const pushed = await world.run({ query: push }, { caller: writer })
  expect(pushed.data?.['pushSpending']).toEqual({
    accepted: 1,
    rejected: 2,
    rows: [
      { code: 'QUARANTINED', message: 'total: Value 12000 above maximum 10000' },
      { code: null, message: null },
      { code: 'QUARANTINED', message: 'total: Value -1 below minimum 0' },
    ],
  })
  const query = `query ($after: String, $view: String) { violations(view: $view, first: 1, after: $after) {
    nodes { view feature key rule value bound message action eventTimestamp recordedAt }
    pageInfo { hasNextPage endCursor } } }`
  const first = (await world.run({ query })).data?.['violations'] as Page
  expect(first.nodes).toEqual([
    {
      view: 'spending',
      feature: 'total',
      key: ['3'],
      rule: 'MIN',
      value: '-1',
      bound: '0',
      message: 'Value -1 below minimum 0',
      action: 'QUARANTINE',
      eventTimestamp: '2026-11-23T11:00:00.000000Z',
      recordedAt: new Date(now / 1_000).toISOString().replace('Z', '000Z'),
    },
  ])
  expect(first.pageInfo.hasNextPage).toBe(true)
  const next = await world.run({ query, variables: { after: first.pageInfo.endCursor } })
  expect(next.data?.['violations']).toMatchObject({
    nodes: [{ key: ['1'] }],
    pageInfo: { hasNextPage: false },
  })
  const other = await world.run({ query, variables: { view: 'another' } })
  expect(other.data?.['violations']).toEqual({ nodes: [], pageInfo: { hasNextPage: false, endCursor: null } })
})

it('a page of the wrong size or with a foreign cursor is refused', async () => {
  const world = await makeWorld([person, spending])
  for (const page of ['first: 0', 'first: 1001', 'after: "x"']) {
    const { errors } = await world.run({ query: `{ violations(${page}) { nodes { view } } }` })
    expect(errors?.[0]?.extensions?.['code']).toBe('BAD_USER_INPUT')
  }
})

interface Page {
  readonly nodes: readonly object[]
  readonly pageInfo: { readonly hasNextPage: boolean; readonly endCursor: string }
}
