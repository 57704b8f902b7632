import {
  batch,
  count,
  entity,
  eventSource,
  featureService,
  featureView,
  mean,
  request,
  stream,
  windowedView,
} from 'featuregraph'
import { getVariableValues, parse, validate } from 'graphql'
import { describe, expect, test } from 'vitest'
import { type Micros, parseTimestamp } from '../../src/definitions/timestamp.ts'
import { buildSchema } from '../../src/graph/build-schema.ts'
import { buildRegistry } from '../../src/registry/build-registry.ts'
import { loadRegistry } from '../../src/registry/load.ts'
import type { Registry } from '../../src/registry/registry.ts'
import type { ExampleTab } from '../../src/server/graphiql/example-tab.ts'
import { exampleTabs } from '../../src/server/graphiql/example-tabs.ts'
import { editorWidth } from '../../src/server/graphiql/query-text.ts'
import { restoreTabs } from '../../src/server/graphiql/restore-tabs.ts'
import type { ExampleKeys } from '../../src/stores/example-keys.ts'
import { worldFolder } from '../services/plain-definitions.ts'

const at = (text: string): Micros => parseTimestamp(text) ?? Number.NaN
const now = at('2026-01-31T23:59:59.999Z')
const nothing: ExampleKeys = { exampleKeys: async () => [] }

const registryOf = (...definitions: readonly unknown[]): Registry =>
  buildRegistry(definitions.map((value, index) => ({ path: `definition ${index}`, value })))

const bed = entity('greenhouse_bed', { joinKeys: { greenhouse_code: 'string', bed_number: 'int32' } })
const soil = featureView('soil_of_greenhouse_bed_by_the_last_laboratory_analysis', {
  entity: bed,
  features: {
    moisture: 'float64',
    spectrum: 'float64[]',
    was_ph: { type: 'int32', deprecated: 'use moisture' },
    organic: 'bool',
  },
})
const readings = eventSource('readings', {
  eventTimestamp: 'at',
  fields: { greenhouse_code: 'string', bed_number: 'int32', celsius: 'float64' },
})
const climate = windowedView('bed_climate', {
  entity: bed,
  source: readings,
  compute: stream(),
  features: { readings_1h: count('1h'), mean_celsius_1h: mean('celsius', '1h') },
})
const daily = windowedView('bed_days', {
  entity: bed,
  source: readings,
  compute: batch({ every: '1d' }),
  features: { readings_7d: count('7d') },
})
const gardener = entity('gardener', { joinKeys: { gardener_id: 'int64' } })
const skills = featureView('gardener_skills', {
  entity: gardener,
  online: false,
  features: { skill: 'string' },
})
const load = featureView('gardener_load', { entity: gardener, features: { hours: 'int32' } })
const watering = featureService('watering_v2', [
  climate.pick('mean_celsius_1h'),
  soil.pick('moisture', 'organic'),
  load.pick('hours'),
  request('rain_expected', 'bool'),
  request('litres', 'float64'),
])

const helping = featureService('helping_v1', [
  load.pick('hours'),
  load.as('helper', { gardener_id: 'helper_id' }).pick('hours'),
])

const byName = (tabs: readonly ExampleTab[], name: string): ExampleTab => {
  const found = tabs.find((tab) => tab.name === name)
  if (!found) throw new Error(`there is no tab ${name}`)
  return found
}

describe('the example tabs', () => {
  const domains: Readonly<Record<string, () => Registry | Promise<Registry>>> = {
    'the demo': () => loadRegistry('schema'),
    'the world of the tests': () => loadRegistry(worldFolder()),
    'two entities, a composite key, a long name': () =>
      registryOf(bed, soil, readings, climate, daily, gardener, load, skills, watering),
    'one entity in two roles': () => registryOf(gardener, load, helping),
    'streaming views alone': () => registryOf(bed, readings, climate),
    'batch views alone': () => registryOf(bed, readings, daily),
    'plain views alone, none of them online': () => registryOf(gardener, skills),
    'an entity without views': () => registryOf(gardener),
  }
  const found: ExampleKeys = {
    exampleKeys: async ({ entity: { joinKeys } }) => [
      {
        key: joinKeys.map(({ type }) => (type === 'string' ? 'north' : 3)),
        oldest: at('2025-11-03T00:00:00Z'),
        newest: at('2026-01-31T00:00:00Z'),
      },
    ],
  }
  for (const [domain, registry] of Object.entries(domains)) {
    test(`fit the schema and the editor, with rows and with nothing stored: ${domain}`, async () => {
      const definitions = await registry()
      const schema = buildSchema(definitions)
      for (const stored of [nothing, found]) {
        const tabs = await exampleTabs(definitions, stored, now)
        expect(tabs.at(-1)?.name).toBe('Catalogue')
        for (const { name, query, variables } of tabs) {
          const document = parse(query)
          expect(validate(schema, document), name).toEqual([])
          const [operation] = document.definitions
          if (operation?.kind !== 'OperationDefinition') throw new Error(`${name}: expected an operation`)
          expect(operation.name?.value).toBe(name)
          const given = operation.variableDefinitions ?? []
          expect(given).toHaveLength(Object.keys(variables).length)
          // As they come over the wire.
          const sent = JSON.parse(JSON.stringify(variables)) as Record<string, unknown>
          expect(getVariableValues(schema, given, sent).errors, name).toBeUndefined()
          const tooLong = query.split('\n').filter((line) => line.length > editorWidth)
          expect(tooLong.filter((line) => !/^ *\w{40,} \{$/.test(line))).toEqual([])
        }
      }
    })
  }

  test('come in the order that teaches, and only for what there is', async () => {
    const names = async (name: string): Promise<readonly string[]> => {
      const definitions = await domains[name]?.()
      if (!definitions) throw new Error(`there is no domain ${name}`)
      return (await exampleTabs(definitions, nothing, now)).map((tab) => tab.name)
    }
    expect(await names('the demo')).toEqual(['Online', 'Watch', 'AsOf', 'Vector', 'Spine', 'Catalogue'])
    expect(await names('streaming views alone')).toEqual(['Online', 'Watch', 'AsOf', 'Spine', 'Catalogue'])
    expect(await names('batch views alone')).toEqual(['Online', 'AsOf', 'Spine', 'Catalogue'])
    expect(await names('an entity without views')).toEqual(['Catalogue'])
  })

  test('ask the past with the selection that was asked online, for keys and times that have rows', async () => {
    const tabs = await exampleTabs(registryOf(bed, soil, readings, climate), found, now)
    const [online, asOf] = ['Online', 'AsOf'].map((name) => {
      const { query } = byName(tabs, name)
      return query.slice(query.indexOf(') {\n    greenhouseCode'))
    })
    expect(online).toContain('bedClimate')
    expect(asOf).toBe(online)
    const key = { greenhouseCode: 'north', bedNumber: 3 }
    expect(byName(tabs, 'AsOf').variables).toEqual({ key, asOf: '2026-01-01T00:00:00Z' })
    expect(byName(tabs, 'Watch').variables).toEqual({ keys: [key] })
    expect(byName(tabs, 'Spine').variables).toEqual({
      rows: [
        { ...key, asOf: '2025-12-01T00:00:00Z' },
        { ...key, asOf: '2026-01-01T00:00:00Z' },
      ],
    })
    expect(byName(tabs, 'Online').query).not.toContain('made up')
  })

  test('ask a service for two entities where one is in two roles', async () => {
    const tabs = await exampleTabs(registryOf(gardener, load, helping), nothing, now)
    expect(byName(tabs, 'Vector').variables).toEqual({
      keys: [
        { gardenerId: 1, helperId: 2 },
        { gardenerId: 2, helperId: 1 },
        { gardenerId: 999_999_999, helperId: 999_999_999 },
      ],
    })
  })

  test('say so where the keys are made up', async () => {
    const tabs = await exampleTabs(registryOf(bed, soil), nothing, now)
    expect(byName(tabs, 'Online').query.replaceAll('\n# ', ' ')).toContain('the keys are made up')
  })

  test('take the finest unit that the rows span: a day, an hour, the second after a single row', async () => {
    const moments = async (oldest: string, newest: string): Promise<unknown> => {
      const rows = { key: ['north', 3], oldest: at(oldest), newest: at(newest) }
      const tabs = await exampleTabs(registryOf(bed, soil), { exampleKeys: async () => [rows] }, now)
      return byName(tabs, 'AsOf').variables['asOf']
    }
    expect(await moments('2026-01-10T05:00:00Z', '2026-01-14T07:00:00Z')).toBe('2026-01-14T00:00:00Z')
    expect(await moments('2026-01-14T02:00:00Z', '2026-01-14T07:30:00Z')).toBe('2026-01-14T07:00:00Z')
    expect(await moments('2026-01-14T07:30:00.5Z', '2026-01-14T07:30:00.5Z')).toBe('2026-01-14T07:30:01Z')
  })
})

describe('a page that is opened again', () => {
  const tab = (name: string, key: number): ExampleTab => ({
    name,
    query: `query ${name} { a }`,
    variables: { key },
  })
  function openedWith(storage: Storage, ...examples: readonly ExampleTab[]) {
    restoreTabs(storage, examples)
    const state = JSON.parse(storage.getItem('graphiql:tabState') ?? '') as {
      tabs: { query: string; variables: string }[]
    }
    return state.tabs.map(({ query, variables }) => [query, (JSON.parse(variables) as { key: number }).key])
  }
  function memoryStorage(): Storage {
    const items = new Map<string, string>()
    return {
      get length() {
        return items.size
      },
      key: (index) => [...items.keys()][index] ?? null,
      getItem: (key) => items.get(key) ?? null,
      setItem: (key, value) => void items.set(key, value),
      removeItem: (key) => void items.delete(key),
      clear: () => items.clear(),
    }
  }
  function edit(storage: Storage, change: (state: { tabs: { query: string; variables: string }[] }) => void) {
    const state = JSON.parse(storage.getItem('graphiql:tabState') ?? '')
    change(state)
    storage.setItem('graphiql:tabState', JSON.stringify(state))
  }

  test('keeps tabs as they were left, and gives examples that nobody changed new variables', () => {
    const storage = memoryStorage()
    openedWith(storage, tab('A', 1), tab('B', 1), tab('C', 1))
    edit(storage, ({ tabs }) => {
      tabs.splice(2, 1)
      const [, second] = tabs
      if (second) second.variables = '{"key":77}'
    })
    expect(openedWith(storage, tab('A', 2), tab('B', 2), tab('C', 2))).toEqual([
      ['query A { a }', 2],
      ['query B { a }', 77],
    ])
    expect(JSON.parse(storage.getItem('graphiql:variables') ?? '')).toEqual({ key: 2 })
  })

  test('has no example of other definitions, and still the tabs of its reader', () => {
    const storage = memoryStorage()
    openedWith(storage, tab('A', 1), tab('B', 1))
    edit(storage, ({ tabs }) => {
      const [first] = tabs
      if (first) first.query = 'query Mine { a }'
    })
    expect(openedWith(storage, tab('X', 1))).toEqual([
      ['query X { a }', 1],
      ['query Mine { a }', 1],
    ])
    expect(storage.getItem('graphiql:query')).toBe('query X { a }')
  })
})
