import { InvalidDefinitions, type Problem } from '../errors.ts'
import { isComputed } from '../registry/is-computed.ts'
import type { FeatureView, Registry, StoredView, StreamView } from '../registry/registry.ts'
import { undigestedDefinition } from '../registry/undigested-definition.ts'
import type { GuardRecord } from '../stores/guard-record.ts'
import { onlineKeyPrefix } from '../stores/online-value/online-key.ts'
import { type RowLayout, rowLayout } from '../stores/online-value/packed-row.ts'
import { windowsFingerprint } from '../stores/online-value/tile-sections.ts'
import type { RegistryStore, StoredLayout } from '../stores/registry-store.ts'
import type { TiledView } from '../stores/tile-generations.ts'
import { type LayoutHistory, openLayoutHistory } from './layout-history.ts'

/** How the rows of each view are keyed and laid out today, and all layouts that were ever written. */
export interface RowLayouts {
  readonly viewId: (view: FeatureView) => string
  /** The front of the view's online keys, of one generation (`stores/guard-record.ts`). */
  readonly keyPrefix: (view: StoredView, generation: number) => string
  /** `keyPrefix` of the generation that is recorded now. One round trip; rejects with `StoreFailed`. */
  readonly rowPrefix: (view: StoredView) => Promise<string>
  /** Begins a new generation of the view's keys, and returns its `keyPrefix`. A few round trips; rejects with `StoreFailed`. */
  readonly renewedPrefix: (view: StoredView) => Promise<string>
  /** As `renewedPrefix`, of a view that need not be defined any more. */
  readonly renewedPrefixOf: (viewId: string) => Promise<string>
  /** As `keyPrefix`, by the view's id. */
  readonly keyPrefixOf: (viewId: string, generation: number) => string
  /** Whose tiles a streaming view's are. */
  readonly tiledView: (view: StreamView) => TiledView
  /** As `keyPrefix`, of one generation of tiles. */
  readonly tilePrefix: (tiles: TiledView, generation: number) => string
  /** Those of all views with rows. */
  readonly rowPrefixes: ReadonlySet<string>
  readonly layout: (view: FeatureView) => RowLayout
  readonly history: LayoutHistory
}

/**
 * Records the registry's views, definitions and layouts in the registry store, before any row of them is written, and
 * reads the history.
 * @throws InvalidDefinitions when two views share a key prefix; StoreFailed.
 */
export async function openRowLayouts(
  project: string,
  registry: Registry,
  store: RegistryStore,
  record: Pick<GuardRecord, 'generation' | 'read' | 'renew'>,
): Promise<RowLayouts> {
  const identities = await store.ensureViews(registry.views.map((view) => view.id))
  const places = new Map<FeatureView, { readonly prefix: string; readonly layout: StoredLayout }>()
  registry.views.forEach((view, index) => {
    const viewId = identities[index]?.id ?? view.id
    places.set(view, {
      prefix: onlineKeyPrefix(project, viewId),
      layout: { ...layoutOf(project, viewId, view), viewId },
    })
  })
  const rowPlaces = [...places].filter(([view]) => view.kind !== 'STREAM')
  refuseEqualPrefixes(rowPlaces.map(([view, { prefix }]) => [view.name, prefix]))
  await store.recordDefinitions(
    [...places].flatMap(([view, { layout }]) => {
      if (view.kind === 'STREAM') return []
      const { definition, digests } = view
      const undigested = view.kind === 'BATCH' ? undigestedDefinition(view) : null
      return [{ viewId: layout.viewId, definition, digests, undigested, isComputed: isComputed(view) }]
    }),
  )
  // Tiles are found by their windows, whatever their features are called.
  const packed = [...places].filter(([view]) => view.kind !== 'STREAM')
  await store.recordLayouts(packed.map(([, { layout }]) => layout))

  const history = await openLayoutHistory(store)

  function keyPrefixOf(viewId: string, generation: number): string {
    return onlineKeyPrefix(project, generation === 0 ? viewId : `${viewId}\0${generation}`)
  }

  async function renewedPrefixOf(viewId: string): Promise<string> {
    const { generations } = await record.read()
    const from = generations.get(viewId) ?? 0
    // The keys of two views must not meet: a prefix has 24 bits.
    const taken = new Set([...generations].map(([id, generation]) => keyPrefixOf(id, generation)))
    let to = from + 1
    while (taken.has(keyPrefixOf(viewId, to))) to += 1
    const isRenewed = await record.renew({ viewId, from, to, oldPrefix: keyPrefixOf(viewId, from) })
    // Else the holder of the guard has begun new keys meanwhile.
    return keyPrefixOf(viewId, isRenewed ? to : await record.generation(viewId))
  }

  function place(view: FeatureView) {
    const found = places.get(view)
    if (!found) throw new TypeError(`feature view ${view.name} is not of this registry`)
    return found
  }

  return {
    viewId: (view) => place(view).layout.viewId,
    keyPrefix: (view, generation) => keyPrefixOf(place(view).layout.viewId, generation),
    async rowPrefix(view) {
      const { viewId } = place(view).layout
      return keyPrefixOf(viewId, await record.generation(viewId))
    },
    renewedPrefix: (view) => renewedPrefixOf(place(view).layout.viewId),
    renewedPrefixOf,
    keyPrefixOf,
    tiledView: (view) => {
      const { viewId, fingerprint } = place(view).layout
      return { viewId, fingerprint }
    },
    tilePrefix: ({ viewId, fingerprint }, generation) =>
      onlineKeyPrefix(project, `${viewId}\0${fingerprint}\0${generation}`),
    rowPrefixes: new Set(rowPlaces.map(([, { prefix }]) => prefix)),
    layout: (view) => place(view).layout,
    history,
  }
}

/** A streaming view's values are tiles: what they mean depends on the windows too. */
export function layoutOf(project: string, viewId: string, view: FeatureView): Omit<StoredLayout, 'viewId'> {
  const stored = view.features.map(({ id, type }) => ({ name: id, type }))
  if (view.kind === 'STREAM') {
    const { features } = rowLayout(project, viewId, stored)
    return {
      features,
      fingerprint: windowsFingerprint(project, viewId, view.aggregations),
      definition: null,
    }
  }
  const definition = isComputed(view) ? view.definition : null
  return { ...rowLayout(project, viewId, stored, definition), definition }
}

/** A prefix has 24 bits; two views of one project that meet would read each other's rows. */
function refuseEqualPrefixes(prefixes: readonly (readonly [name: string, prefix: string])[]): void {
  const taken = new Map<string, string>()
  const problems: Problem[] = []
  for (const [name, prefix] of prefixes) {
    const other = taken.get(prefix)
    if (other !== undefined) {
      problems.push({
        path: `feature view ${name}`,
        message: `its online keys would meet those of "${other}"; rename one of them`,
      })
    }
    taken.set(prefix, name)
  }
  if (problems.length > 0) throw new InvalidDefinitions(problems)
}
