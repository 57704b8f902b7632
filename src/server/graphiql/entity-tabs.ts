import { plural } from '../../definitions/graphql-name.ts'
import type { Micros } from '../../definitions/timestamp.ts'
import { graphqlTypeOf } from '../../graph/value-types.ts'
import type { Entity, FeatureView } from '../../registry/registry.ts'
import type { ExampleEntity, ExampleEntityKey } from './example-entity.ts'
import { momentsOf, shownTime } from './example-moments.ts'
import type { ExampleTab } from './example-tab.ts'
import { comment, selection, withArguments } from './query-text.ts'

const featuresShown = 5
const dayMicros: Micros = 86_400_000_000
const nothingStored =
  'Nothing is stored of it yet, so the keys are made up: push a row, import a file or send events, and load this page again.'

/** The entity now, by its first key. */
export function onlineTab(example: ExampleEntity): ExampleTab {
  const { argument, type, value } = oneKey(example.entity)
  const [key] = example.keys
  return {
    name: 'Online',
    query: [
      comment(
        `The newest features of one ${example.entity.name}, from the online store. freshness says for each view whether there is a row and whether it is within its ttl (status), how old its values are (ageSeconds) and which store answered (source).`,
        ...(example.isMadeUp ? [nothingStored] : []),
      ),
      withArguments('query Online', [`$key: ${type}`], '', ' {'),
      withArguments(example.entity.graphqlName, [`${argument}: $key`], '  ', ' {'),
      ...entitySelection(example, 'source'),
      '  }',
      '}\n',
    ].join('\n'),
    variables: { key: value(key ?? []) },
  }
}

/** A streaming view of two keys. */
export function watchTab(example: ExampleEntity, view: FeatureView): ExampleTab {
  const { argument, type, value } = keyList(example.entity)
  return {
    name: 'Watch',
    query: [
      comment(
        'Run this one again and again. A streaming view answers for the very moment of the request: as events come in and old ones leave its windows, the numbers move. ageSeconds is the age of the newest event.',
        ...(example.isMadeUp ? [nothingStored] : []),
      ),
      withArguments('query Watch', [`$keys: ${type}`], '', ' {'),
      withArguments(example.entity.pluralName, [`${argument}: $keys`], '  ', ' {'),
      ...keyLines(example.entity),
      ...viewSelection(view, ['status', 'eventTimestamp', 'ageSeconds']),
      '  }',
      '}\n',
    ].join('\n'),
    variables: { keys: example.keys.map(value) },
  }
}

/** What the first tab asks for, as of a time that has data. */
export function asOfTab(example: ExampleEntity, now: Micros): ExampleTab {
  const { argument, type, value } = oneKey(example.entity)
  const [key] = example.keys
  return {
    name: 'AsOf',
    query: [
      comment(
        "The first tab's query with one more argument, asOf. source is OFFLINE and the values are what was true then: one document for training and for serving. eventTimestamp is never after asOf, and ageSeconds counts up to it.",
      ),
      withArguments('query AsOf', [`$key: ${type}`, '$asOf: Timestamp'], '', ' {'),
      withArguments(example.entity.graphqlName, [`${argument}: $key`, 'asOf: $asOf'], '  ', ' {'),
      ...entitySelection(example, 'source'),
      '  }',
      '}\n',
    ].join('\n'),
    variables: { key: value(key ?? []), asOf: shownTime(momentsIn(example, now)[0] ?? now) },
  }
}

/** Rows at their own times: the first key at two moments, then the other if there is one. */
export function spineTab(example: ExampleEntity, now: Micros): ExampleTab {
  const { entity, keys } = example
  const [view] = example.views
  const moments = momentsIn(example, now)
  const [late = now] = moments
  const early = moments[1] ?? late - dayMicros
  const [first = [], second] = keys
  const rows = [
    { key: first, asOf: early },
    { key: first, asOf: late },
    ...(second === undefined ? [] : [{ key: second, asOf: late }]),
  ].map(({ key, asOf }) => ({ ...keyObject(entity, key), asOf: shownTime(asOf) }))
  return {
    name: 'Spine',
    query: [
      comment(
        'A spine: the entity rows of a training set, each with a time of its own. There is one answer per row, in the same order. Add knownAt to a row to leave out what arrived after that.',
      ),
      withArguments('query Spine', [`$rows: [${entity.typeName}AsOf!]!`], '', ' {'),
      withArguments(`${entity.pluralName}AsOf`, ['rows: $rows'], '  ', ' {'),
      ...keyLines(entity),
      ...(view === undefined ? [] : viewSelection(view, ['status', 'eventTimestamp'])),
      '  }',
      '}\n',
    ].join('\n'),
    variables: { rows },
  }
}

/** Times that have data, by the first key's rows. */
function momentsIn({ stored, views, keys }: ExampleEntity, now: Micros): readonly Micros[] {
  const first = JSON.stringify(keys[0])
  const spans = stored.map((found) => found.filter(({ key }) => JSON.stringify(key) === first))
  const rows = spans.filter((_, index) => views[index]?.kind !== 'STREAM').flat()
  if (rows.length > 0) return momentsOf(rows)
  // A window holds events of shortly before.
  const newest = spans.flat().map((span) => ({ oldest: span.newest, newest: span.newest }))
  return newest.length > 0 ? momentsOf(newest) : [Math.floor(now / 60_000_000) * 60_000_000]
}

interface KeyVariable {
  readonly argument: string
  readonly type: string
  readonly value: (key: ExampleEntityKey) => unknown
}

function oneKey(entity: Entity): KeyVariable {
  const [only, ...others] = entity.joinKeys
  if (only === undefined || others.length > 0)
    return { argument: 'key', type: `${entity.typeName}Key!`, value: (key) => keyObject(entity, key) }
  return { argument: only.graphqlName, type: `${graphqlTypeOf(only.type)}!`, value: ([value]) => value }
}

function keyList(entity: Entity): KeyVariable {
  const { argument, type, value } = oneKey(entity)
  return { argument: argument === 'key' ? 'keys' : plural(argument), type: `[${type}]!`, value }
}

function keyObject({ joinKeys }: Entity, key: ExampleEntityKey): Readonly<Record<string, unknown>> {
  return Object.fromEntries(joinKeys.map(({ graphqlName }, place) => [graphqlName, key[place]]))
}

function keyLines({ joinKeys }: Entity): readonly string[] {
  return joinKeys.map(({ graphqlName }) => `    ${graphqlName}`)
}

function entitySelection({ entity, views }: ExampleEntity, ...more: readonly string[]): readonly string[] {
  const freshness = ['status', 'eventTimestamp', 'ageSeconds', ...more]
  return [...keyLines(entity), ...views.flatMap((view) => viewSelection(view, freshness))]
}

function viewSelection(view: FeatureView, freshness: readonly string[]): readonly string[] {
  const features = view.features.filter(({ deprecated }) => deprecated === null).slice(0, featuresShown)
  return [
    `    ${view.graphqlName} {`,
    ...features.map(({ graphqlName }) => `      ${graphqlName}`),
    selection('freshness', freshness, '      '),
    '    }',
  ]
}
