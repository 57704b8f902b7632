import { beforeAll, describe, expect, it } from 'vitest'
import { StoreFailed } from '../../src/errors.ts'
import type { RunKind } from '../../src/stores/run-store.ts'
import { memoryRunStore } from '../oracle/memory-run-store.ts'
import { now, second, type World } from './run-operation.ts'
import { smallWorld } from './small-world.ts'

describe('runs', () => {
  const runs = memoryRunStore()
  let world: World
  beforeAll(async () => {
    world = await smallWorld()
    const kinds: readonly RunKind[] = ['IMPORT', 'MATERIALIZE', 'MATERIALIZE', 'BATCH']
    for (const [index, kind] of kinds.entries()) {
      const view = index === 1 ? 'customer_recent' : 'customer_daily'
      const times = { now: () => now + index * second, onWait: () => {} }
      await runs.withRun({ kind, view, asOf: index === 3 ? now : null }, times, async () => ({
        outcome: { state: 'SUCCEEDED', rowsRead: index * 10, rowsWritten: index, error: null },
        result: null,
      }))
    }
  })

  const ask = async (input: string, fields = 'kind view') => {
    const query = `{ runs${input} { nodes { ${fields} } pageInfo { hasNextPage endCursor } } }`
    const { data, errors } = await world.run({ query }, { runs })
    return { errors, ...(Object(data)['runs'] as { nodes: unknown[]; pageInfo: Record<string, unknown> }) }
  }

  it('are reported newest first, with everything that was recorded', async () => {
    const { nodes, pageInfo } = await ask(
      '',
      'id kind view asOf state startedAt finishedAt rowsRead rowsWritten error',
    )
    expect(nodes[0]).toEqual({
      ...{ id: expect.any(String), kind: 'BATCH', view: 'customer_daily', state: 'SUCCEEDED', error: null },
      ...{ rowsRead: 30, rowsWritten: 3, asOf: '2026-11-23T12:00:00.000000Z' },
      ...{ startedAt: '2026-11-23T12:00:03.000000Z', finishedAt: '2026-11-23T12:00:03.000000Z' },
    })
    expect(nodes).toHaveLength(4)
    expect(pageInfo).toEqual({ hasNextPage: false, endCursor: expect.any(String) })
  })

  it('are filtered by kind, view and start', async () => {
    const recent = { kind: 'MATERIALIZE', view: 'customer_recent' }
    const daily = { kind: 'MATERIALIZE', view: 'customer_daily' }
    expect((await ask('(kind: MATERIALIZE)')).nodes).toEqual([daily, recent])
    expect((await ask('(view: "customer_recent")')).nodes).toEqual([recent])
    expect((await ask('(since: "2026-11-23T12:00:02Z")')).nodes).toHaveLength(2)
    const none = await ask('(view: "nothing")')
    expect([none.nodes, none.pageInfo]).toEqual([[], { hasNextPage: false, endCursor: null }])
  })

  it('come in pages', async () => {
    const first = await ask('(first: 3)')
    expect([first.nodes.length, first.pageInfo['hasNextPage']]).toEqual([3, true])
    const second = await ask(`(first: 3, after: "${first.pageInfo['endCursor']}")`)
    expect([second.nodes, second.pageInfo['hasNextPage']]).toEqual([
      [{ kind: 'IMPORT', view: 'customer_daily' }],
      false,
    ])
  })

  it.each([
    '(first: 0)',
    '(first: 1001)',
    '(after: "x")',
    '(after: "MSBkcm9w")',
    `(after: "${Buffer.from('1 7').toString('base64url')}")`,
  ])('refuse %s', async (input) => {
    const { errors } = await ask(input)
    expect(errors?.[0]?.extensions?.['code']).toBe('BAD_USER_INPUT')
  })

  it('are UNAVAILABLE where the store fails, without its words', async () => {
    const failing = {
      ...runs,
      runs: async () => {
        throw new StoreFailed('connect ECONNREFUSED db.internal:5432')
      },
    }
    const { errors } = await world.run({ query: '{ runs { nodes { id } } }' }, { runs: failing })
    expect(errors?.[0]).toMatchObject({ path: ['runs'], extensions: { code: 'UNAVAILABLE' } })
    expect(JSON.stringify(errors)).not.toContain('db.internal')
  })
})
