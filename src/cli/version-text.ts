import { formatDuration } from '../definitions/duration.ts'
import { formatTimestamp } from '../definitions/timestamp.ts'
import type { WindowedAggregation } from '../definitions/windowed-aggregation.ts'
import type {
  Entity,
  EventSource,
  Feature,
  FeatureService,
  FeatureView,
  OnDemandView,
  Registry,
} from '../registry/registry.ts'
import type { Retired } from '../registry/versions/version-content.ts'
import type { AppliedVersion } from '../stores/version-store.ts'
import { shownText } from './shown-text.ts'

/** A version in words: when, who and why, what it changed, what it defines, and what is stored of what it does not. */
export function versionText(
  { version, appliedAt, appliedBy, message, changes, program }: AppliedVersion,
  { registry, content }: { readonly registry: Registry; readonly content: { readonly retired: Retired } },
): string {
  const why = message === null ? '' : `: ${shownText(message)}`
  return [
    `version ${version}, ${formatTimestamp(appliedAt)}, ${shownText(appliedBy)}${why} (featuregraph ${program})`,
    ...section('changes', changes.map(shownText)),
    ...section('entities', registry.entities.map(entityLine)),
    ...section('event sources', registry.eventSources.map(sourceLine)),
    ...section('feature views', [
      ...registry.views.flatMap(viewLines),
      ...registry.onDemandViews.flatMap(onDemandLines),
    ]),
    ...section('feature services', registry.services.map(serviceLine)),
    ...section('stored and not defined any more, until `featuregraph prune`', retiredLines(content.retired)),
    '',
  ].join('\n')
}

function section(title: string, lines: readonly string[]): readonly string[] {
  return lines.length === 0 ? [] : ['', title, ...lines.map((line) => `  ${line}`)]
}

function entityLine({ name, id, joinKeys }: Entity): string {
  return `${name}${formerly(name, id)}: ${joinKeys.map((key) => `${key.name} ${key.type}`).join(', ')}`
}

/** Under which name it is stored, after a rename. */
function formerly(name: string, id: string): string {
  return name === id ? '' : ` (stored as ${id})`
}

function sourceLine({ name, topic, table, fields }: EventSource): string {
  const from = topic === null ? '' : `, topic ${topic}`
  const mapped = table === null ? '' : `, table ${table}`
  return `${name}${from}${mapped}: ${fields.map((field) => `${field.name} ${field.type}`).join(', ')}`
}

function viewLines(view: FeatureView): readonly string[] {
  const ttl = view.ttlMicros === null ? '' : `, ttl ${formatDuration(view.ttlMicros)}`
  const head = `${view.name}${formerly(view.name, view.id)} of ${view.entity.name}, ${computedText(view)}${ttl}${view.online ? ', online' : ''}`
  return [
    head,
    ...view.features.map((feature, index) => {
      const aggregation = view.kind === 'PLAIN' ? undefined : view.aggregations[index]
      const meaning = aggregation === undefined ? '' : `, ${aggregationText(aggregation)}`
      return `  ${feature.name}${storedAs(feature)}: ${feature.type}${meaning}`
    }),
  ]
}

/** With the digest that its function is found by. */
function onDemandLines({ name, entity, inputs, features, module }: OnDemandView): readonly string[] {
  const from = inputs.map((input) =>
    input.kind === 'request' ? `request ${input.name}` : `${input.view.name}.${input.feature.name}`,
  )
  return [
    `${name} of ${entity.name}, on demand from ${from.join(', ')} (module ${module.slice(0, 12)})`,
    ...features.map((feature) => `  ${feature.name}: ${feature.type}`),
  ]
}

function computedText(view: FeatureView): string {
  if (view.kind === 'BATCH') return `batch of ${view.events.name} every ${formatDuration(view.everyMicros)}`
  if (view.kind === 'STREAM') return `stream of ${view.events.name}`
  if (view.source === null) return 'pushed or imported'
  const where = view.source.kind === 'parquet' ? ` (${view.source.path})` : ''
  return `mapped from ${view.source.name}${where}`
}

function storedAs({ name, columns }: Feature): string {
  const names = columns.map((column) => column.name)
  return names.length === 0 || (names.length === 1 && names[0] === name)
    ? ''
    : ` (stored as ${names.join(', ')})`
}

function aggregationText({ aggregate, field, windowMicros, where }: WindowedAggregation): string {
  const of = field === null ? '' : ` of ${field.name}`
  const conditions = where.map((one) => `${one.field.name} = ${JSON.stringify(one.value)}`).join(', ')
  return `${aggregate}${of} over ${formatDuration(windowMicros)}${conditions === '' ? '' : ` where ${conditions}`}`
}

function serviceLine({ name, vector }: FeatureService): string {
  const entries = vector.map((entry) =>
    entry.kind === 'request' ? `request ${entry.name}` : `${entry.view.name}.${entry.feature.name}`,
  )
  return `${name}: ${entries.join(', ')}`
}

function retiredLines({ entities, views, columns }: Retired): readonly string[] {
  return [
    ...entities.map((id) => `entity ${id}`),
    ...views.map(({ id }) => `feature view ${id}`),
    ...Object.entries(columns).map(
      ([id, all]) => `of feature view ${id}: ${all.map(({ name, type }) => `${name} ${type}`).join(', ')}`,
    ),
  ]
}
