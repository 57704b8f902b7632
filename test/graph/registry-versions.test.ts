import { beforeAll, describe, expect, it } from 'vitest'
import { StoreFailed } from '../../src/errors.ts'
import type { AppliedVersion, VersionStore } from '../../src/stores/version-store.ts'
import { now, second, type World } from './run-operation.ts'
import { smallWorld } from './small-world.ts'

const applied = [3, 2, 1].map(
  (version): AppliedVersion => ({
    ...{ version, digest: `d${version}`, appliedAt: now + version * second, appliedBy: 'ana' },
    ...{
      message: version === 1 ? null : 'why',
      changes: [`entity customer: added ${version}`],
      program: '0.1.0',
    },
  }),
)
const versions: Pick<VersionStore, 'list'> = {
  list: async (before, first) =>
    applied.filter(({ version }) => before === null || version < before).slice(0, first),
}
let world: World
beforeAll(async () => {
  world = await smallWorld()
})

describe('registryVersions', () => {
  const ask = async (input: string, store = versions) => {
    const query = `{ registryVersions${input} { nodes { version appliedAt appliedBy message changes } pageInfo { hasNextPage endCursor } } }`
    const { data, errors } = await world.run({ query }, { versions: store })
    return { errors, page: Object(Object(data)['registryVersions']) }
  }

  it('are listed newest first, in pages', async () => {
    const { page: first } = await ask('(first: 2)')
    expect(first).toMatchObject({
      nodes: [
        {
          ...{ version: 3, appliedAt: '2026-11-23T12:00:03.000000Z', appliedBy: 'ana', message: 'why' },
          changes: ['entity customer: added 3'],
        },
        { version: 2 },
      ],
      pageInfo: { hasNextPage: true },
    })
    const { page: second } = await ask(`(after: "${first.pageInfo.endCursor}")`)
    expect(second).toMatchObject({ nodes: [{ version: 1, message: null }], pageInfo: { hasNextPage: false } })
  })

  it.each(['(first: 0)', '(after: "x")', `(after: "${Buffer.from('1 a-b').toString('base64url')}")`])(
    'refuse %s',
    async (input) => {
      expect((await ask(input)).errors?.[0]?.extensions?.['code']).toBe('BAD_USER_INPUT')
    },
  )

  it('are UNAVAILABLE where the store fails, without its words', async () => {
    const { errors } = await ask('', {
      list: async () => {
        throw new StoreFailed('connect ECONNREFUSED db.internal:5432')
      },
    })
    expect(errors?.[0]).toMatchObject({ path: ['registryVersions'], extensions: { code: 'UNAVAILABLE' } })
    expect(JSON.stringify(errors)).not.toContain('db.internal')
  })
})

it('the catalogue says in which version an entity, a view and a service last changed, as the served version knows it', async () => {
  const query = `{
    entities { name registryVersion featureViews { name registryVersion services { name registryVersion } } }
    featureServices { name registryVersion }
  }`
  const asked: string[] = []
  const changedIn = (place: string): number => {
    asked.push(place)
    return place === 'feature view customer_daily' ? 7 : place.length
  }
  const { data, errors } = await world.run({ query }, { changedIn })
  expect(errors).toBeUndefined()
  const { entities, featureServices } = Object(data)
  expect(entities[0]).toMatchObject({ name: 'customer', registryVersion: 'entity customer'.length })
  expect(entities[0].featureViews[0]).toEqual({
    ...{ name: 'customer_daily', registryVersion: 7 },
    services: [{ name: 'risk_v1', registryVersion: 'feature service risk_v1'.length }],
  })
  expect(featureServices[0].registryVersion).toBe('feature service risk_v1'.length)
  expect(new Set(asked)).toContain('feature view device_risk')
})
