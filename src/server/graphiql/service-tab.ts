import type { Micros } from '../../definitions/timestamp.ts'
import { elementType, type ValueType } from '../../definitions/value-type.ts'
import type { FeatureService } from '../../registry/registry.ts'
import { type ExampleEntity, madeUpKey } from './example-entity.ts'
import { shownTime } from './example-moments.ts'
import type { ExampleTab } from './example-tab.ts'
import { comment, withArguments } from './query-text.ts'

/** A service's vectors, the last of a key that hardly anybody has. */
export function serviceTab(
  service: FeatureService,
  examples: readonly ExampleEntity[],
  now: Micros,
): ExampleTab {
  const known = Math.min(2, ...ofService(service, examples).map(({ keys }) => keys.length))
  const keys = ([0, 1, 2] as const)
    .filter((place) => place === 2 || place < known)
    .map((place) => ({
      ...Object.fromEntries(
        service.joinKeys.map((joinKey) => [joinKey.graphqlName, keyValue(joinKey.name, place)]),
      ),
      ...Object.fromEntries(
        service.requests.map(({ graphqlName, type }) => [graphqlName, requestValue(type, place, now)]),
      ),
    }))
  function keyValue(name: string, place: 0 | 1 | 2): unknown {
    const own = storedValue(name, place)
    const inRole = service.roles.flatMap(({ keys: all }) => all).find((key) => key.name === name)
    if (own !== undefined || !inRole) return own ?? null
    // An entity in two roles is two of them, where there are two.
    const other = known === 2 ? ([1, 0, 2] as const)[place] : place
    return storedValue(inRole.joinKey, other) ?? null
  }
  function storedValue(name: string, place: 0 | 1 | 2): unknown {
    for (const { entity, keys: stored } of ofService(service, examples)) {
      const index = entity.joinKeys.findIndex((joinKey) => joinKey.name === name)
      if (index >= 0) return (stored[place] ?? madeUpKey(entity.joinKeys, 2))[index]
    }
    return undefined
  }
  const requested = service.requests.map(({ graphqlName }) => graphqlName)
  const sent =
    requested.length === 0
      ? ''
      : ` ${requested.join(', ')} ${requested.length === 1 ? 'is' : 'are'} sent with the request.`
  return {
    name: 'Vector',
    query: [
      comment(
        `The input of the model that takes ${service.name}: one vector per key, in the keys' order. names is the order within a vector.${sent} The last key is meant to be unknown: statuses says so, the vector holds the declared defaults, and defaulted names them. A missing feature is never an error.`,
      ),
      withArguments('query Vector', [`$keys: [${service.typeName}Key!]!`], '', ' {'),
      withArguments(service.graphqlName, ['keys: $keys'], '  ', ' {'),
      ...service.joinKeys.map(({ graphqlName }) => `    ${graphqlName}`),
      ...['vector', 'names', 'statuses', 'defaulted'].map((field) => `    ${field}`),
      '  }',
      '}\n',
    ].join('\n'),
    variables: { keys },
  }
}

function ofService(service: FeatureService, examples: readonly ExampleEntity[]): readonly ExampleEntity[] {
  return examples.filter(({ entity }) => service.entities.includes(entity))
}

const numbers = [250, 12.5, 80]

function requestValue(type: ValueType, place: 0 | 1 | 2, now: Micros): unknown {
  if (elementType(type) !== null) return []
  switch (type) {
    case 'bool':
      return place !== 1
    case 'timestamp':
      return shownTime(Math.floor(now / 1_000_000) * 1_000_000)
    case 'string':
      return 'a'
    case 'bytes':
      return ''
    default: {
      const number = numbers[place] ?? 0
      return type.startsWith('int') ? Math.trunc(number) : number
    }
  }
}
