import { type FeatureIdentity, type Identities, ownOf, type ViewIdentity } from '../identities.ts'
import type { Retired, RetiredColumn, VersionContent } from './version-content.ts'

export const nothingRetired: Retired = { entities: [], views: [], columns: {} }

/** What was there before, retired or not, and is not in the identities that follow. */
export function retiredBy(
  { identities: before, retired }: Pick<VersionContent, 'identities' | 'retired'>,
  { entities, views }: Identities,
): Retired {
  const entityIds = new Set(Object.values(entities))
  const viewIds = new Set(Object.values(views).map(({ id }) => id))
  const earlier = [...retired.views, ...Object.values(before.views).map((view) => withColumns(view, retired))]
  const columns = Object.values(views).flatMap((view) => {
    const of = earlier.find(({ id }) => id === view.id)
    const left = of ? unused(of, view) : []
    return left.length === 0 ? [] : [[view.id, left] as const]
  })
  return {
    entities: [...retired.entities, ...Object.values(before.entities)].filter(
      (id, index, all) => !entityIds.has(id) && all.indexOf(id) === index,
    ),
    views: earlier.filter(({ id }) => !viewIds.has(id)),
    columns: Object.fromEntries(columns),
  }
}

/** The removed feature of an id, with all of its columns. */
export function comesBack(id: string, retired: readonly RetiredColumn[]): FeatureIdentity | undefined {
  const columns = retired.filter(({ name, feature }) => (feature ?? name) === id)
  return columns.length === 0 ? undefined : { id, columns: columns.map(({ name, type }) => ({ name, type })) }
}

/** A view with the columns of its removed features, which go with them. */
function withColumns({ id, features }: ViewIdentity, retired: Retired): ViewIdentity {
  const columns = ownOf(retired.columns, id) ?? []
  const removed = [...new Set(columns.map(({ name, feature }) => feature ?? name))].flatMap((one) => {
    const back = comesBack(one, columns)
    // Another feature may have come under its name.
    return back ? [[Object.hasOwn(features, one) ? `${one} (removed)` : one, back] as const] : []
  })
  return { id, features: { ...Object.fromEntries(removed), ...features } }
}

function unused(before: ViewIdentity, after: ViewIdentity): readonly RetiredColumn[] {
  const columnsOf = ({ features }: ViewIdentity): readonly RetiredColumn[] =>
    Object.values(features).flatMap(({ id, columns }) => columns.map((one) => ({ ...one, feature: id })))
  const used = new Set(columnsOf(after).map(({ name }) => name))
  return columnsOf(before).filter(
    ({ name }, index, all) => !used.has(name) && all.findIndex((one) => one.name === name) === index,
  )
}
