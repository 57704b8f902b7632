import { formatDuration, parseDuration } from '../definitions/duration.ts'
import { featureDigests, viewDefinition } from '../definitions/feature-digest.ts'
import type { WindowedAggregation } from '../definitions/windowed-aggregation.ts'
import type { Report } from '../errors.ts'
import { aggregatedType, emptyValue } from '../windows/aggregates/aggregates.ts'
import { chooseHop } from '../windows/hop.ts'
import { checkExpectedFeatures } from './check-expected-features.ts'
import type { Identities } from './identities.ts'
import type { WindowedViewParsed } from './parse-definitions.ts'
import type { BatchView, Entity, EventField, Feature, StreamView } from './registry.ts'
import { type GrowingEventSource, resolveLiteral } from './resolve-event-source.ts'
import { resolveSchedule } from './resolve-schedule.ts'
import { suggest } from './suggest.ts'
import { resolveFeature, viewHead } from './view-head.ts'

type AggregationParsed = WindowedViewParsed['features'][string]

const shortestEvery = 60_000_000

/** A windowed view over its source, whose events then must have the entity's join keys. */
export function resolveWindowedView(
  definition: WindowedViewParsed,
  entity: Entity,
  events: GrowingEventSource,
  identities: Identities,
  report: Report,
): BatchView | StreamView {
  const place = `feature view ${definition.name}`
  checkExpectedFeatures(definition, report)
  checkJoinKeys(place, entity, events, report)
  const { compute } = definition
  const everyMicros = compute.mode === 'batch' ? (parseDuration(compute.every) ?? 0) : null
  if (compute.mode === 'batch' && (everyMicros ?? 0) < shortestEvery) {
    report({
      path: `${place}.compute.every`,
      message: `snapshots are at least 1m apart, ${compute.every} came`,
    })
  }
  if (compute.mode === 'stream') {
    checkStreamed(place, definition, events, report)
    const keys = entity.joinKeys.map(({ name }) => name)
    if (!events.indexedKeys.some((other) => other.join() === keys.join())) events.indexedKeys.push(keys)
  }
  const aggregations: WindowedAggregation[] = []
  const features = Object.entries(definition.features).map(([name, parsed]): Feature => {
    const path = `${place}.features.${name}`
    const aggregation = resolveAggregation(path, parsed, events, report)
    aggregations.push(aggregation)
    const type = aggregatedType(aggregation.aggregate, aggregation.field?.type ?? null)
    if (type === null && aggregation.field !== null) {
      report({
        path,
        message: `${aggregation.aggregate} needs a number, the field "${aggregation.field.name}" is ${aggregation.field.type}`,
      })
    }
    return resolveFeature(definition, name, parsed, type, identities, report)
  })
  checkRetention(definition.name, { events, aggregations, everyMicros }, report)
  const view = {
    ...viewHead(definition, entity, identities),
    source: null,
    files: null,
    features,
    emptyValues: aggregations.map(({ aggregate }) => emptyValue(aggregate)),
    events,
    aggregations,
  }
  if (everyMicros === null) return { ...view, kind: 'STREAM', schedule: { batch: null, materialize: null } }
  const batch = { ...view, kind: 'BATCH', everyMicros } as const
  const digests = featureDigests(batch)
  return {
    ...batch,
    ...{ digests, definition: viewDefinition(digests) },
    schedule: resolveSchedule(definition, report),
  }
}

/** What is computed at the moment it is asked for has no rows that could be counted, scheduled or kept out. */
function checkStreamed(
  place: string,
  definition: WindowedViewParsed,
  events: GrowingEventSource,
  report: Report,
): void {
  if (definition.schedule !== undefined)
    report({
      path: `${place}.schedule`,
      message: 'a streaming feature view is never run; leave its schedule out',
    })
  if (definition.expectRows !== undefined)
    report({
      path: `${place}.expectRows`,
      message: 'a streaming feature view has no rows that could be counted',
    })
  if (events.table !== null) {
    const message = `events of a mapped table cannot be followed; give event source "${events.name}" a topic, or compute in batch`
    report({ path: `${place}.compute`, message })
  }
  const expected = [
    ...Object.entries(definition.expect),
    ...Object.entries(definition.features).map(([name, { expect }]) => [name, expect] as const),
  ]
  for (const [name, expect] of expected) {
    if (expect === undefined || expect.action === 'warn') continue
    const message = `a streamed feature can only be warned of, ${expect.action} came; expect something of the event source's fields instead`
    report({ path: `${place}.expect.${name}.action`, message })
  }
}

/** What answers for now must not reach behind the stored events: the windows of a snapshot until the next one has come. */
function checkRetention(
  name: string,
  {
    events,
    aggregations,
    everyMicros,
  }: Pick<StreamView, 'events' | 'aggregations'> & { readonly everyMicros: number | null },
  report: Report,
): void {
  const { retentionMicros } = events
  if (retentionMicros === null) return
  const reach = Math.max(...aggregations.map(({ windowMicros, hopMicros }) => windowMicros + hopMicros))
  const needed = reach + (everyMicros ?? 0)
  if (retentionMicros >= needed) return
  const what = everyMicros === null ? 'its longest window and hop' : 'its longest window, its hop and `every`'
  report({
    path: `event source ${events.name}.retention`,
    message: `feature view "${name}" needs events of the last ${formatDuration(needed)} (${what}), a retention of ${formatDuration(retentionMicros)} came`,
  })
}

/** Every event is of one entity: its join keys are fields of the source with the same types. */
function checkJoinKeys(place: string, entity: Entity, events: GrowingEventSource, report: Report): void {
  for (const key of entity.joinKeys) {
    const field = events.fields.find((one) => one.name === key.name)
    if (!field) {
      const message = `join key "${key.name}" of entity "${entity.name}" is no field of event source "${events.name}"; ${fieldHint(key.name, events)}`
      report({ path: `${place}.entity`, message })
    } else if (field.type !== key.type) {
      const message = `join key "${key.name}" of entity "${entity.name}" is ${key.type}, the field of event source "${events.name}" is ${field.type}`
      report({ path: `${place}.entity`, message })
    } else if (!events.keyFields.includes(field)) {
      events.keyFields.push(field)
    }
  }
}

function resolveAggregation(
  path: string,
  parsed: AggregationParsed,
  events: GrowingEventSource,
  report: Report,
): WindowedAggregation {
  const findField = (name: string, at: string): EventField | null => {
    const found = events.fields.find((field) => field.name === name)
    if (found) return found
    report({
      path: at,
      message: `event source "${events.name}" has no field "${name}"; ${fieldHint(name, events)}`,
    })
    return null
  }
  const windowMicros = parseDuration(parsed.window) ?? 0
  const declared = parsed.hop === undefined ? null : parseDuration(parsed.hop)
  const hopMicros = declared ?? chooseHop(windowMicros)
  if (hopMicros === null) {
    const message = `a window under 1m must declare its hop, as { hop: '1s' }; ${parsed.window} came without one`
    report({ path, message })
  } else if (hopMicros > windowMicros) {
    report({
      path: `${path}.hop`,
      message: `a hop is at most its window of ${parsed.window}, ${parsed.hop} came`,
    })
  }
  const where = Object.entries(parsed.where ?? {}).flatMap(([name, literal]) => {
    const field = findField(name, `${path}.where.${name}`)
    if (!field) return []
    const value =
      literal === null ? null : resolveLiteral(field.type, literal, `${path}.where.${name}`, report)
    return [{ field, value }]
  })
  return {
    aggregate: parsed.aggregate,
    field: parsed.field === undefined ? null : findField(parsed.field, path),
    windowMicros,
    hopMicros: hopMicros ?? 1,
    where,
  }
}

function fieldHint(name: string, events: GrowingEventSource): string {
  return suggest(
    name,
    events.fields.map((field) => field.name),
  )
}
