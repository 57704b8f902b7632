import { isDeepStrictEqual } from 'node:util'
import { widenings } from '../../definitions/value-type.ts'
import { InvalidDefinitions, type Problem, type Report } from '../../errors.ts'
import { buildRegistry } from '../build-registry.ts'
import { type FeatureColumn, type FeatureIdentity, ownOf, type ViewIdentity } from '../identities.ts'
import { type Definition, parseDefinitions } from '../parse-definitions.ts'
import type { Entity, FeatureView, Registry } from '../registry.ts'
import { comesBack, nothingRetired, retiredBy } from './retired.ts'
import { type RetiredColumn, registryOf, type VersionContent } from './version-content.ts'

/**
 * The next version's content: the definitions with the names by which what is stored knows them. A definition of the same
 * name keeps them, one that says `renamedFrom` takes over those of that name, one that comes back finds its own, all others
 * are called as they are. `previous`: the newest version, null before the first.
 * @throws InvalidDefinitions; also where what is stored could not be read by the new definitions, naming what to do instead.
 */
export function nextContent(
  previous: VersionContent | null,
  definitions: readonly Definition[],
): VersionContent {
  const registry = buildRegistry(definitions)
  const problems: Problem[] = []
  const report: Report = (problem) => problems.push(problem)
  const { renamedFrom, plain } = readRenames(definitions)
  const before = previous === null ? null : { ...previous, registry: registryOf(previous) }
  const next = before === null ? first(registry) : following(before, registry, renamedFrom, report)
  if (problems.length > 0) throw new InvalidDefinitions(problems)
  return { definitions: plain, ...next }
}

/** Kind and name (of a feature: its view and name) → the earlier name. */
type Renames = ReadonlyMap<string, string>

function readRenames(definitions: readonly Definition[]): {
  readonly renamedFrom: Renames
  readonly plain: VersionContent['definitions']
} {
  const renamedFrom = new Map<string, string>()
  const note = (what: string, from: string | undefined): void => {
    if (from !== undefined) renamedFrom.set(what, from)
  }
  const parsed = parseDefinitions(definitions, () => {})
  for (const one of parsed.entities) note(`entity ${one.name}`, one.renamedFrom)
  for (const one of parsed.views) {
    note(`feature view ${one.name}`, one.renamedFrom)
    for (const [name, feature] of Object.entries(one.features))
      if (typeof feature === 'object') note(`feature ${one.name}.${name}`, feature.renamedFrom)
  }
  const kinds = new Set<unknown>([
    'entity',
    'event-source',
    'feature-view',
    'windowed-view',
    'on-demand-view',
    'feature-service',
  ])
  const digests = new Map(parsed.onDemandViews.map(({ name, digest }) => [name, digest]))
  const plain = definitions.flatMap(({ value }): Readonly<Record<string, unknown>>[] => {
    if (typeof value !== 'object' || value === null || !('kind' in value) || !kinds.has(value.kind)) return []
    // What is no data (`pick`) and what is left out (undefined) has no place in JSON.
    const data: Readonly<Record<string, unknown>> = JSON.parse(JSON.stringify(value))
    // A version of the registry holds no functions, but what they are found by.
    return [value.kind === 'on-demand-view' ? { ...data, compute: digests.get(String(data['name'])) } : data]
  })
  return { renamedFrom, plain }
}

function first({ entities, views }: Registry): Omit<VersionContent, 'definitions'> {
  return {
    identities: {
      entities: Object.fromEntries(entities.map(({ name }) => [name, name])),
      views: Object.fromEntries(views.map((view) => [view.name, firstIdentity(view, view.name)])),
    },
    retired: nothingRetired,
  }
}

function firstIdentity(view: FeatureView, id: string): ViewIdentity {
  const features = view.features.map(
    ({ name, type }) => [name, { id: name, columns: [{ name, type }] }] as const,
  )
  return { id, features: Object.fromEntries(features) }
}

type Before = VersionContent & { readonly registry: Registry }

function following(
  before: Before,
  registry: Registry,
  renamedFrom: Renames,
  report: Report,
): Omit<VersionContent, 'definitions'> {
  const entities = entityIds(before, registry, renamedFrom, report)
  const found = viewIdentities(before, registry, renamedFrom, report)
  const views: Record<string, ViewIdentity> = {}
  for (const view of registry.views) {
    const earlier = found.get(view.name)
    if (!earlier) continue
    refuseOtherRows(view, earlier, before.registry, { entities, report })
    views[view.name] = featureIdentities(view, earlier, { renamedFrom, report })
  }
  return { identities: { entities, views }, retired: retiredBy(before, { entities, views }) }
}

function entityIds(
  before: Before,
  registry: Registry,
  renamedFrom: Renames,
  report: Report,
): Readonly<Record<string, string>> {
  const names = registry.entities.map(({ name }) => name)
  const known = before.identities.entities
  const taken = new Set(Object.values(known))
  const ids: Record<string, string> = {}
  for (const name of names) {
    const from = renameOf('entity', name, { known, names, renamedFrom, report })
    const kept = ownOf(known, from ?? name)
    const id = kept ?? (before.retired.entities.includes(name) ? name : freeName(name, taken))
    taken.add(id)
    ids[name] = id
  }
  return ids
}

interface EarlierView {
  readonly identity: ViewIdentity
  /** Null: it is new, or comes back. */
  readonly view: FeatureView | null
  /** Columns of its removed features. */
  readonly retired: readonly RetiredColumn[]
}

function viewIdentities(
  before: Before,
  registry: Registry,
  renamedFrom: Renames,
  report: Report,
): ReadonlyMap<string, EarlierView> {
  const known = before.identities.views
  const names = registry.views.map(({ name }) => name)
  const taken = new Set([...Object.values(known), ...before.retired.views].map(({ id }) => id))
  const found = new Map<string, EarlierView>()
  for (const view of registry.views) {
    const from = renameOf('feature view', view.name, { known, names, renamedFrom, report }) ?? view.name
    const kept = ownOf(known, from)
    if (kept) {
      const earlier = before.registry.views.find(({ name }) => name === from) ?? null
      found.set(view.name, {
        identity: kept,
        view: earlier,
        retired: ownOf(before.retired.columns, kept.id) ?? [],
      })
      continue
    }
    const back = before.retired.views.find(({ id }) => id === view.name)
    const identity = back ?? { id: freeName(view.name, taken), features: {} }
    taken.add(identity.id)
    found.set(view.name, { identity, view: null, retired: [] })
  }
  return found
}

/** The earlier name of something that is renamed by this version; null: it keeps its name, or is new. */
function renameOf(
  kind: 'entity' | 'feature view' | 'feature',
  name: string,
  {
    known,
    names,
    renamedFrom,
    report,
    within = '',
  }: {
    readonly known: Readonly<Record<string, unknown>>
    readonly names: readonly string[]
    readonly renamedFrom: Renames
    readonly report: Report
    readonly within?: string
  },
): string | null {
  const place = `${kind} ${within}${name}`
  const from = renamedFrom.get(place)
  // It was renamed by an earlier version.
  if (from === undefined || ownOf(known, name) !== undefined) return null
  const path = `${place}.renamedFrom`
  if (names.includes(from)) {
    report({
      path,
      message: `"${from}" is still defined; a rename takes what is stored of it, so leave one of them out`,
    })
    return null
  }
  return ownOf(known, from) === undefined ? null : from
}

/** A name that nothing stored has. */
export function freeName(name: string, taken: ReadonlySet<string>): string {
  let free = name
  for (let count = 2; taken.has(free); count += 1) free = `${name.slice(0, 58)}_${count}`
  return free
}

/** Rows are found by the join keys: under others they would not be found, or would be taken for those of another entity. */
function refuseOtherRows(
  view: FeatureView,
  { view: earlier }: EarlierView,
  registry: Registry,
  { entities, report }: { readonly entities: Readonly<Record<string, string>>; readonly report: Report },
): void {
  if (earlier === null) return
  const path = `feature view ${view.name}`
  const oldEntity = registry.entities.find(({ name }) => name === earlier.entity.name)
  if (ownOf(entities, view.entity.name) !== oldEntity?.id) {
    report({
      path: `${path}.entity`,
      message: `its stored rows are of entity "${earlier.entity.name}", "${view.entity.name}" came; give the view another name, as ${view.name}_v2`,
    })
  } else if (!isDeepStrictEqual(keysOf(earlier.entity), keysOf(view.entity))) {
    report({
      path: `entity ${view.entity.name}.joinKeys`,
      message: `rows of feature view "${view.name}" are stored by (${keysOf(earlier.entity).join(', ')}), (${keysOf(view.entity).join(', ')}) came; define another entity, and views of it`,
    })
  }
}

function keysOf({ joinKeys }: Entity): readonly string[] {
  return joinKeys.map(({ name, type }) => `${name} ${type}`)
}

function featureIdentities(
  view: FeatureView,
  earlier: EarlierView,
  { renamedFrom, report }: { readonly renamedFrom: Renames; readonly report: Report },
): ViewIdentity {
  const known = earlier.identity.features
  const names = view.features.map(({ name }) => name)
  const every = [...Object.values(known).flatMap(({ columns }) => columns), ...earlier.retired]
  const taken = new Set(every.map(({ name }) => name))
  const features: Record<string, FeatureIdentity> = {}
  for (const { name, type } of view.features) {
    const from =
      renameOf('feature', name, { known, names, renamedFrom, report, within: `${view.name}.` }) ?? name
    const kept = ownOf(known, from) ?? comesBack(name, earlier.retired)
    const identity = kept ?? firstFeature(name, type, taken)
    const columns = kept ? typedColumns(view, { ...kept, name, type, taken }, report) : identity.columns
    for (const column of columns) taken.add(column.name)
    features[name] = { id: identity.id, columns }
  }
  return { id: earlier.identity.id, features }
}

function firstFeature(
  name: string,
  type: FeatureColumn['type'],
  taken: ReadonlySet<string>,
): FeatureIdentity {
  const free = freeName(name, taken)
  return { id: free, columns: [{ name: free, type }] }
}

/**
 * Where the values of a feature stand whose type may be another than before. A wider one gets a column of its own, so that no
 * table is rewritten; one that was widened once may be narrow again, its column stays wide. What is computed anew, or stands
 * in a table that is mapped, may have any type.
 */
function typedColumns(
  view: FeatureView,
  feature: FeatureIdentity & FeatureColumn & { readonly taken: ReadonlySet<string> },
  report: Report,
): readonly FeatureColumn[] {
  const { name, type, columns, taken } = feature
  const [written] = columns
  const same = columns.find((column) => column.type === type)
  if (written === undefined || same !== undefined) return same && view.kind === 'BATCH' ? [same] : columns
  const own = { name: freeName(`${feature.id.slice(0, 50)}__${type.replace(/\W+/g, '_')}`, taken), type }
  if (view.kind === 'BATCH') return [own]
  if (view.kind === 'STREAM' || view.source !== null) return [{ name: written.name, type }]
  if (widenings.get(written.type) === type) return [own, ...columns]
  report({
    path: `feature view ${view.name}.features.${name}`,
    message: `its stored values are ${written.type}, ${type} came: a type can be widened (int32 to int64, float32 to float64), nothing else; name a new feature, as ${name}_v2`,
  })
  return columns
}
