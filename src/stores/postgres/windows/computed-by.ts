import type { BatchOfflineView } from '../../offline-view.ts'
import { quoteTable } from '../sql/identifier.ts'
import { visibleSql } from '../sql/visible-in.ts'

/** Parameters of a statement, as `$1`. */
export interface ViewParameters {
  readonly project: string
  readonly view: string
  /** The view's digests of today, as jsonb. */
  readonly digests: string
  /** Of `AsOfJoin.visibleIn`; null: all that is recorded. */
  readonly visible: string | null
}

/** Appends them to a statement's values. */
export function viewParameters(
  project: string,
  view: BatchOfflineView,
  values: unknown[],
  visible: string | null,
): ViewParameters {
  const parameter = (value: unknown): string => `$${values.push(value)}::text`
  return {
    project: parameter(project),
    view: parameter(view.id),
    digests: parameter(JSON.stringify(view.digests)),
    visible,
  }
}

/**
 * Every definition that the view ever had, with `lacking`: the ids of today's features that it lacks, null where a
 * feature of both means something else (`lackingFeatures`).
 */
export function definitionsSql({ project, view, digests, visible }: ViewParameters): string {
  const today = `jsonb_each_text(${digests}::jsonb) as t(name, digest)`
  return [
    'select d.definition, case',
    `    when not exists (select from ${today} where d.digests ->> t.name <> t.digest)`,
    `    then array(select t.name from ${today} where not d.digests ? t.name order by t.name)`,
    '  end as lacking',
    '  from featuregraph.view_definitions as d',
    `  where ${[`d.project = ${project}`, `d.view_id = ${viewIdSql({ project, view })}`, ...visibleSql('d.recorded_xid', visible)].join(' and ')}`,
  ].join('\n')
}

function viewIdSql({ project, view }: Pick<ViewParameters, 'project' | 'view'>): string {
  return `(select v.id from featuregraph.views as v where v.project = ${project} and v.name = ${view})`
}

/**
 * The newest snapshot at or before a time that was recorded: its time and its definition as it was known at `knownAt`
 * (null: as it is). No row where there is none. One probe of the snapshots' key. Of a definition that was superseded behind
 * the bound of visibility, the first one is that which was seen then.
 */
export function governingSnapshotSql(
  parameters: Pick<ViewParameters, 'project' | 'view' | 'visible'>,
  {
    at,
    knownAt,
    where = [],
  }: { readonly at: string; readonly knownAt: string | null; readonly where?: readonly string[] },
): string {
  const { project, visible } = parameters
  const later = [
    ...(knownAt === null ? [] : [`u.superseded_at > ${knownAt}`]),
    ...visibleSql('u.recorded_xid', visible).map((seen) => `not (${seen})`),
  ]
  const superseded = `(select u.definition from featuregraph.superseded_definitions as u
      where u.project = s.project and u.view_id = s.view_id and u.as_of = s.as_of and ${later.length > 1 ? `(${later.join(' or ')})` : later.join('')}
      order by u.superseded_at limit 1)`
  const definition = later.length === 0 ? 's.definition' : `coalesce(${superseded}, s.definition)`
  const conditions = [
    `s.project = ${project}`,
    `s.view_id = ${viewIdSql(parameters)}`,
    `s.as_of <= ${at}`,
    ...visibleSql('s.recorded_xid', visible),
    ...where,
  ]
  return [
    `  select s.as_of, ${definition} as definition`,
    '  from featuregraph.snapshots as s',
    `  where ${conditions.join(' and ')}`,
    '  order by s.as_of desc limit 1',
  ].join('\n')
}

/** Whether today's definition, with every feature that it has, computed the newest snapshot at or before a time; true without one. */
export function isCurrentSql(
  { project, view, digests }: Omit<ViewParameters, 'visible'>,
  at: string,
): string {
  const viewId = viewIdSql({ project, view })
  return [
    'coalesce((select s.definition in (',
    `    select d.definition from featuregraph.view_definitions as d`,
    `    where d.project = ${project} and d.view_id = ${viewId} and d.digests @> ${digests}::jsonb`,
    `  ) from featuregraph.snapshots as s where s.project = ${project} and s.view_id = ${viewId} and s.as_of <= ${at}`,
    '  order by s.as_of desc limit 1), true)',
  ].join('\n')
}

/**
 * Whether the source may have events before a time: of stored ones their hours are known, also of those that are deleted
 * since; of a mapped table whether it has any.
 */
export function hasEventsSql(
  { events }: Pick<BatchOfflineView, 'events'>,
  {
    project,
    before,
    visible,
  }: { readonly project: string; readonly before: string; readonly visible: string | null },
  values: unknown[],
): string {
  if (events.table !== null) return `exists (select from ${quoteTable(events.table)})`
  const source = `$${values.push(events.name)}::text`
  const conditions = [
    `a.project = ${project}`,
    `a.source = ${source}`,
    `a.hour < ${before}`,
    ...visibleSql('a.recorded_xid', visible),
  ]
  return `exists (select from featuregraph.event_arrivals as a where ${conditions.join(' and ')})`
}
