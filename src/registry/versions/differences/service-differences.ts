import type { FeatureService, RequestValue, ServiceRole, VectorEntry } from '../../registry.ts'
import type { Broken } from '../changes.ts'
import { counted, type Difference, differs, differsInOrder, differsInWords } from './difference.ts'
import { graphqlShape } from './graphql-shape.ts'
import { pairById } from './pair-by-id.ts'
import { documentedDifferences, nameDifferences } from './shown-differences.ts'

export function addedService({ vector }: FeatureService): Difference {
  return { how: 'added', text: `added (${counted(vector.length, 'value')})`, breaks: [] }
}

export const removedService: Difference = {
  ...{ how: 'removed', text: 'removed' },
  breaks: ['graphql', 'services'],
}

/** The version of a service is the `_v<N>` of its name: under one name another list, order, default or type breaks it. */
export function serviceDifferences(before: FeatureService, after: FeatureService): readonly Difference[] {
  const { pairs, removed } = pairById(before.vector, after.vector, cameFrom)
  const origins = ({ vector }: FeatureService): string[] => vector.map(cameFrom)
  const names = after.vector.map(({ name }) => name)
  return [
    ...nameDifferences(before, after),
    ...pairs.flatMap(([old, entry]): readonly Difference[] =>
      old === null ? [addedEntry(entry)] : entryDifferences(old, entry),
    ),
    ...removed.map(
      ({ name }): Difference => ({
        ...{ how: 'removed', text: `${name} removed` },
        breaks: ['graphql', 'services'],
      }),
    ),
    ...differsInOrder('its values', origins(before), origins(after), { breaks: ['services'], names }),
    ...requestDifferences(before, after),
    ...roleDifferences(before, after),
    ...keyDifferences(before, after),
    ...documentedDifferences(before, after),
  ]
}

/** Of an entry: the same after a rename of what it shows. */
function cameFrom(entry: VectorEntry): string {
  if (entry.kind === 'request') return entry.name
  const role = entry.kind === 'on-demand' || entry.role === null ? '' : `@${entry.role}`
  return `${entry.kind === 'feature' ? entry.view.id : entry.view.name}${role}.${entry.feature.id}`
}

function addedEntry(entry: VectorEntry): Difference {
  const what = entry.kind === 'request' ? 'request value' : `of ${inRole(entry.view.name, entry)}`
  const isRequired = entry.kind === 'request' && !entry.optional
  const breaks: readonly Broken[] = isRequired ? ['graphql', 'services'] : ['services']
  return { how: 'added', text: `${entry.name} added (${entry.type}, ${what})`, breaks }
}

function entryDifferences(before: VectorEntry, after: VectorEntry): readonly Difference[] {
  const { name } = after
  const field: readonly Broken[] = before.graphqlName === after.graphqlName ? [] : ['graphql']
  const shape: readonly Broken[] = graphqlShape(before.type) === graphqlShape(after.type) ? [] : ['graphql']
  const title: readonly Difference[] =
    before.name === name
      ? differs(`graphqlName of ${name}`, before.graphqlName, after.graphqlName, field)
      : [{ how: 'renamed', text: `${name} renamed from ${before.name}`, breaks: [...field, 'services'] }]
  return [
    ...title,
    ...differs(`type of ${name}`, before.type, after.type, [...shape, 'services']),
    ...differs(`default of ${name}`, before.default, after.default, ['services']),
    ...originDifferences(before, after),
  ]
}

function originDifferences(before: VectorEntry, after: VectorEntry): readonly Difference[] {
  const { name } = after
  if (before.kind === 'request' && after.kind === 'request') {
    const mayBeLeftOut = `${name} may be left out`
    return [
      ...differs(mayBeLeftOut, before.optional, after.optional, after.optional ? [] : ['graphql']),
      ...differs(`description of ${name}`, before.description, after.description),
    ]
  }
  const origin = (entry: VectorEntry): string =>
    entry.kind === 'request' ? 'the request' : inRole(`${entry.view.name}.${entry.feature.name}`, entry)
  if (before.kind !== 'request' && after.kind !== 'request') {
    const isSame = cameFrom(before) === cameFrom(after)
    return differs(`origin of ${name}`, origin(before), origin(after), isSame ? [] : ['services'])
  }
  // A value leaves the service's key or comes into it.
  const comes = after.kind === 'request' ? !after.optional : true
  return differs(`origin of ${name}`, origin(before), origin(after), [
    ...(comes ? (['graphql'] as const) : []),
    'services',
  ])
}

/** Values that the caller sends for on-demand views alone; what is in the vector has been compared. */
function requestDifferences(before: FeatureService, after: FeatureService): readonly Difference[] {
  const { pairs, removed } = pairById(before.requests, after.requests, ({ name }) => name)
  const isInVector = ({ vector }: FeatureService, { name }: RequestValue): boolean =>
    vector.some((entry) => entry.kind === 'request' && entry.name === name)
  return [
    ...pairs.flatMap(([old, request]): readonly Difference[] => {
      const { name, type, optional } = request
      if (isInVector(after, request) && (old === null || isInVector(before, old))) return []
      if (old === null)
        return [
          {
            ...{ how: 'added', text: `request value ${name} added (${type}, of an on-demand view)` },
            breaks: optional ? [] : ['graphql', 'services'],
          },
        ]
      const shape = ({ graphqlName, type: one }: RequestValue): string =>
        `${graphqlName} ${graphqlShape(one)}`
      const breaks: readonly Broken[] = shape(old) === shape(request) ? [] : ['graphql', 'services']
      return [
        ...differs(`request value ${name}`, shape(old), shape(request), breaks),
        ...differs(`type of request value ${name}`, old.type, type),
        ...differs(
          `request value ${name} may be left out`,
          old.optional,
          optional,
          optional ? [] : ['graphql'],
        ),
        ...differs(`default of request value ${name}`, old.default, request.default),
        ...differs(`description of request value ${name}`, old.description, request.description),
      ]
    }),
    ...removed.flatMap((request): readonly Difference[] =>
      isInVector(before, request)
        ? []
        : [
            {
              ...{ how: 'removed', text: `request value ${request.name} removed` },
              breaks: ['graphql', 'services'],
            },
          ],
    ),
  ]
}

function inRole(text: string, entry: VectorEntry): string {
  return entry.kind !== 'feature' || entry.role === null ? text : `${text} as ${entry.role}`
}

/** Under one name a role may come to mean another key of the caller. */
function roleDifferences(before: FeatureService, after: FeatureService): readonly Difference[] {
  const { pairs } = pairById(before.roles, after.roles, ({ name }) => name)
  const keys = ({ keys: all }: ServiceRole): string =>
    all.map(({ joinKey, name }) => `${joinKey} = ${name}`).join(', ')
  return pairs.flatMap(([old, role]) =>
    old === null ? [] : differsInWords(`role ${role.name}`, keys(old), keys(role), otherKeys(old, role)),
  )
}

/** Another entity that comes into a role, or leaves it, changes nothing for those that stay. */
function otherKeys(before: ServiceRole, after: ServiceRole): readonly Broken[] {
  const old = new Map(before.keys.map(({ joinKey, name }) => [joinKey, name]))
  const isOther = after.keys.some(({ joinKey, name }) => (old.get(joinKey) ?? name) !== name)
  return isOther ? ['services'] : []
}

/** The join keys of its entities, which the caller sends. */
function keyDifferences(before: FeatureService, after: FeatureService): readonly Difference[] {
  const keys = ({ joinKeys }: FeatureService): string[] => joinKeys.map(({ name, type }) => `${name} ${type}`)
  const shapes = ({ joinKeys }: FeatureService): string[] =>
    joinKeys.map(({ graphqlName, type }) => `${graphqlName} ${graphqlShape(type)}`).sort()
  const isOther = shapes(before).join() !== shapes(after).join()
  const breaks: readonly Broken[] = isOther ? ['graphql', 'services'] : []
  const found = differs('join keys', keys(before), keys(after), breaks)
  if (found.length > 0 || !isOther) return found
  const names = ({ joinKeys }: FeatureService): string[] => joinKeys.map(({ graphqlName }) => graphqlName)
  return differs('graphqlName of its join keys', names(before), names(after), breaks)
}
