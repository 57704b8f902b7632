import type { Micros } from '../../definitions/timestamp.ts'
import type { FeatureView, Registry } from '../../registry/registry.ts'
import type { ExampleKeys } from '../../stores/example-keys.ts'
import { catalogueTab } from './catalogue-tab.ts'
import { asOfTab, onlineTab, spineTab, watchTab } from './entity-tabs.ts'
import { type ExampleEntity, exampleEntity, firstEntity } from './example-entity.ts'
import type { ExampleTab } from './example-tab.ts'
import { serviceTab } from './service-tab.ts'

/**
 * GraphiQL's first tabs over these definitions, in the order that teaches: an entity online, a streaming view to watch, the
 * first again as of a time that has data, a service's vector, a spine, the catalogue. What the definitions lack has none.
 */
export async function exampleTabs(
  registry: Registry,
  stored: ExampleKeys,
  now: Micros,
): Promise<readonly ExampleTab[]> {
  const first = firstEntity(registry)
  const main = first === null ? null : await exampleEntity(first, stored, now)
  const streaming = streamingView(registry, main)
  const [service] = registry.services
  const others = [...(streaming === null ? [] : [streaming.entity]), ...(service?.entities ?? [])].filter(
    (entity, index, all) => entity !== first && all.indexOf(entity) === index,
  )
  const read = await Promise.all(others.map((entity) => exampleEntity(entity, stored, now)))
  const examples = main === null ? [] : [main, ...read]
  const watched = examples.find(({ entity }) => entity === streaming?.entity)
  return [
    ...(main === null ? [] : [onlineTab(main)]),
    ...(watched === undefined || streaming === null ? [] : [watchTab(watched, streaming)]),
    ...(main === null ? [] : [asOfTab(main, now)]),
    ...(service === undefined ? [] : [serviceTab(service, examples, now)]),
    ...(main === null ? [] : [spineTab(main, now)]),
    catalogueTab,
  ]
}

/** One that the first tab shows, else the first that is online. */
function streamingView(registry: Registry, main: ExampleEntity | null): FeatureView | null {
  const shown = main?.views.find(({ kind }) => kind === 'STREAM')
  const all = registry.views.filter(({ kind }) => kind === 'STREAM')
  return shown ?? all.find(({ online }) => online) ?? all[0] ?? null
}
