import { concernsEntity } from '../../definitions/concerns-entity.ts'
import type { EntityKey } from '../../definitions/value.ts'
import type { Entity, EventSource, FeatureView, Registry } from '../../registry/registry.ts'
import type { EntityToDelete } from '../../stores/deletion-store.ts'

/** An entity with the views and event sources that have all of its join keys. */
export interface DeletionScope extends EntityToDelete {
  readonly views: readonly FeatureView[]
  readonly sources: readonly EventSource[]
}

export function deletionScope(
  { views, eventSources }: Registry,
  entity: Entity,
  key: EntityKey,
): DeletionScope {
  return {
    entity,
    key,
    views: views.filter((view) => concernsEntity(view.entity.joinKeys, entity.joinKeys)),
    sources: eventSources.filter((source) => concernsEntity(source.fields, entity.joinKeys)),
  }
}
