import { parseDuration } from '../definitions/duration.ts'
import { fieldName } from '../definitions/graphql-name.ts'
import type { ValueType } from '../definitions/value-type.ts'
import type { Report } from '../errors.ts'
import { type Identities, ownOf } from './identities.ts'
import type { ViewParsed, WindowedViewParsed } from './parse-definitions.ts'
import type { Entity, Feature, FeatureView, Shown } from './registry.ts'
import { resolveExpectation, resolveRowCount } from './resolve-expectation.ts'
import { shownHead } from './shown-head.ts'

type AnyViewParsed = ViewParsed | WindowedViewParsed
type ViewHead = Shown & Pick<FeatureView, 'id' | 'entity' | 'ttlMicros' | 'online' | 'rowCount'>

/** What every view has, however its rows come about. */
export function viewHead(definition: AnyViewParsed, entity: Entity, identities: Identities): ViewHead {
  return {
    ...shownHead(definition),
    id: ownOf(identities.views, definition.name)?.id ?? definition.name,
    entity,
    ttlMicros: definition.ttl === undefined ? null : parseDuration(definition.ttl),
    online: definition.online,
    rowCount: resolveRowCount(definition.expectRows),
  }
}

/** A feature of the view; `type` null: what is wrong with it has been reported. */
export function resolveFeature(
  view: AnyViewParsed,
  name: string,
  options: Omit<WindowedViewParsed['features'][string], 'aggregate' | 'window'>,
  type: ValueType | null,
  identities: Identities,
  report: Report,
): Feature {
  const known = ownOf(ownOf(identities.views, view.name)?.features ?? {}, name)
  const expect = options.expect ?? view.expect[name]
  const path = `feature view ${view.name}.expect.${name}`
  return {
    name,
    id: known?.id ?? name,
    columns: known?.columns ?? [{ name, type: type ?? 'float64' }],
    graphqlName: options.graphqlName ?? fieldName(name),
    type: type ?? 'float64',
    description: options.description ?? null,
    unit: options.unit ?? null,
    default: options.default ?? null,
    deprecated: options.deprecated ?? null,
    expectation:
      expect === undefined || type === null ? null : resolveExpectation(expect, type, path, report),
  }
}
