import { parseDuration } from '../definitions/duration.ts'
import { fieldName, raiseFirst } from '../definitions/graphql-name.ts'
import type { ViewParsed, WindowedViewParsed } from './parse-definitions.ts'
import type { Entity, FeatureView } from './registry.ts'
import { resolveRowCount } from './resolve-expectation.ts'
import { tagsOf } from './tags-of.ts'

type ViewHead = Pick<
  FeatureView,
  | 'name'
  | 'graphqlName'
  | 'typeName'
  | 'description'
  | 'owner'
  | 'tags'
  | 'entity'
  | 'ttlMicros'
  | 'online'
  | 'rowCount'
>

/** What every view has, however its rows come about. */
export function viewHead(definition: ViewParsed | WindowedViewParsed, entity: Entity): ViewHead {
  const graphqlName = definition.graphqlName ?? fieldName(definition.name)
  return {
    name: definition.name,
    graphqlName,
    typeName: raiseFirst(graphqlName),
    description: definition.description ?? null,
    owner: definition.owner ?? null,
    tags: tagsOf(definition.tags),
    entity,
    ttlMicros: definition.ttl === undefined ? null : parseDuration(definition.ttl),
    online: definition.online,
    rowCount: resolveRowCount(definition.expectRows),
  }
}
