import { createHash } from 'node:crypto'
import pg from 'pg'
import type { BatchOfflineView } from '../../offline-view.ts'
import type { AnalysedView } from '../../sql-views.ts'
import { sqlType } from '../sql/column-type.ts'
import { quoteIdentifier } from '../sql/identifier.ts'
import { closingColumn, featureTable, newestFirst } from '../tables/feature-table.ts'
import { definitionsSql, governingSnapshotSql, type ViewParameters } from '../windows/computed-by.ts'
import { type ColumnTypes, featureValue, instant } from './column-value.ts'

export interface SqlObjects {
  /** Both in the schema, unquoted. */
  readonly latest: string
  readonly asOf: string
  /** Statements that make both where they are not. */
  readonly make: readonly string[]
  /** Of all that `make` says. */
  readonly digest: string
}

interface Column {
  readonly name: string
  readonly type: string
}

/** The view and the function of a feature view. */
export function sqlObjects(
  project: string,
  schema: string,
  view: AnalysedView,
  types: ColumnTypes,
): SqlObjects {
  const [latest, asOf] = [objectName(view.name, '_latest'), objectName(view.name, '_as_of')]
  const [quotedLatest, quotedAsOf] = [latest, asOf].map(
    (name) => `${quoteIdentifier(schema)}.${quoteIdentifier(name)}`,
  )
  const columns = columnsOf(view)
  const body = asOfSql(project, view, types)
  const tag = `$f${createHash('sha256').update(body).digest('hex').slice(0, 12)}$`
  const returned = columns.map(({ name, type }) => `${quoteIdentifier(name)} ${type}`)
  const what = `feature view ${view.name} of project ${project}`
  const of = view.description === null ? what : `${what}: ${view.description}`
  const make = [
    [
      `create function ${quotedAsOf}(t timestamptz, known_at timestamptz default null)`,
      `returns table (${returned.join(', ')})`,
      `language sql stable parallel safe rows 10000 as ${tag}`,
      body,
      tag,
    ].join('\n'),
    `create view ${quotedLatest} as\nselect ${columns.map(({ name }) => `r.${quoteIdentifier(name)}`).join(', ')} from ${quotedAsOf}(now()) as r`,
    `comment on function ${quotedAsOf}(timestamptz, timestamptz) is ${pg.escapeLiteral(`As of t, as known at known_at (null: now), one row per key: ${of}`)}`,
  ]
  const digest = createHash('sha256').update(make.join('\n')).digest('hex')
  const marker = markerOf({ project, view: view.name, digest })
  const comment = `comment on view ${quotedLatest} is ${pg.escapeLiteral(`As of now, one row per key: ${of}\n${marker}`)}`
  return { latest, asOf, make: [...make, comment], digest }
}

export interface Marker {
  readonly project: string
  readonly view: string
  readonly digest: string
}

/** What a comment ends with, by which the program knows its own views again. */
function markerOf({ project, view, digest }: Marker): string {
  return `featuregraph sql-views: ${project}/${view}/${digest}`
}

/** Null: the comment is of another object. */
export function readMarker(comment: string | null): Marker | null {
  const found = /\nfeaturegraph sql-views: ([a-z0-9_]+)\/([a-z0-9_]+)\/([0-9a-f]{64})$/.exec(comment ?? '')
  const [, project, view, digest] = found ?? []
  return project === undefined || view === undefined || digest === undefined
    ? null
    : { project, view, digest }
}

/** At most 63 bytes: a long name is cut and made unique by a digest. */
export function objectName(view: string, suffix: string): string {
  if (view.length + suffix.length <= 63) return `${view}${suffix}`
  const digest = createHash('sha256').update(view).digest('hex').slice(0, 8)
  return `${view.slice(0, 63 - suffix.length - digest.length - 1)}_${digest}${suffix}`
}

/** The status's column is called otherwise where a key or feature is. */
function columnsOf({ entity, features }: AnalysedView): readonly Column[] {
  const keys = entity.joinKeys.map(({ name, type }) => ({ name, type: sqlType(type) }))
  const values = features.map(({ name, type }) => ({ name, type: bareType(sqlType(type)) }))
  const taken = new Set([...keys, ...values].map(({ name }) => name))
  const status = ['status', 'row_status', 'view_status'].find((name) => !taken.has(name)) ?? 'status__'
  return [
    ...keys,
    { name: 'event_timestamp', type: 'timestamptz' },
    { name: 'created_timestamp', type: 'timestamptz' },
    { name: status, type: 'text' },
    ...values,
  ]
}

/** A function's columns have no digits behind a point. */
function bareType(type: string): string {
  return type.replace(/\(.*\)/, '')
}

/**
 * The newest row of each key as of `$1`, as known at `$2`, by the rules of the as-of join: closing rows are none, what another
 * definition computed is UNAVAILABLE, past its ttl a row is OUTSIDE_TTL; neither has values.
 */
function asOfSql(project: string, view: AnalysedView, types: ColumnTypes): string {
  const table = featureTable(project, view)
  const { source } = view
  const typeOf = (column: string | undefined): number | undefined =>
    column === undefined ? undefined : types.get(column)
  const event = instant(`x.${table.eventTimestamp}`, typeOf(source?.eventTimestamp))
  const created =
    table.createdTimestamp === null
      ? null
      : instant(`x.${table.createdTimestamp}`, typeOf(source?.createdTimestamp))
  const keys = view.entity.joinKeys.map((key) => {
    const column = `x.${table.column(key.name)}`
    return source === null ? column : `${column}::${sqlType(key.type)}`
  })
  const conditions = [
    `${event} <= $1`,
    ...(source === null ? [] : [`isfinite(${event})`, ...keys.map((key) => `${key} is not null`)]),
    ...(created === null ? [] : [`($2 is null or ${created} is null or ${created} <= $2)`]),
  ]
  const outputs = [
    ...keys.map((key, index) => `${key} as key_${index}`),
    `${event} as event_timestamp`,
    `${created ?? 'null::timestamptz'} as created_timestamp`,
    ...view.features.map(
      (feature, index) => `${featureValue(view, table, feature, types)} as value_${index}`,
    ),
    ...(view.kind === 'BATCH' ? [`coalesce(x.${closingColumn}, false) as closing`] : []),
  ]
  const newest = [
    `  select distinct on (${keys.join(', ')}) ${outputs.join(', ')}`,
    `  from ${table.from} as x`,
    `  where ${conditions.join(' and ')}`,
    `  order by ${[...keys, ...newestFirst(table)].join(', ')}`,
  ].join('\n')
  const computed = view.kind === 'BATCH' ? computedBy(project, view) : null
  const tooOld =
    view.ttlMicros === null
      ? 'false'
      : `r.event_timestamp < $1 - interval '${Math.floor(view.ttlMicros / 1_000_000)}.${String(view.ttlMicros % 1_000_000).padStart(6, '0')} seconds'`
  const isUnavailable = computed?.isOther ?? 'false'
  const lines = [
    `select ${[
      ...keys.map((_, index) => `s.key_${index}`),
      ...['event_timestamp', 'created_timestamp'].map(
        (name) => `case when s.status <> 'UNAVAILABLE' then s.${name} end`,
      ),
      's.status',
      ...view.features.map(({ id, type }, index) => {
        const isKnown = computed === null ? '' : ` and not (${pg.escapeLiteral(id)} = any (s.lacking))`
        return `(case when s.status = 'PRESENT'${isKnown} then s.value_${index} end)::${bareType(sqlType(type))}`
      }),
    ].join(', ')}`,
    'from (',
    `select r.*, ${computed?.lacking ?? `'{}'::text[]`} as lacking,`,
    `  case when ${isUnavailable} then 'UNAVAILABLE' when ${tooOld} then 'OUTSIDE_TTL' else 'PRESENT' end as status`,
    'from (',
    newest,
    ') as r',
    ...(computed?.joins ?? []),
    ') as s',
    ...(view.kind === 'BATCH' ? [`where not s.closing or s.status = 'UNAVAILABLE'`] : []),
  ]
  return lines.join('\n')
}

/** As the as-of join has it, with the newest snapshot once for all keys. */
function computedBy(project: string, view: BatchOfflineView) {
  const text = (value: string): string => `${pg.escapeLiteral(value)}::text`
  const parameters: ViewParameters = {
    project: text(project),
    view: text(view.id),
    digests: text(JSON.stringify(view.digests)),
    visible: null,
  }
  const governing = governingSnapshotSql(parameters, { at: '$1', knownAt: '$2' })
  const own = governingSnapshotSql(parameters, {
    at: 'r.event_timestamp',
    knownAt: '$2',
    where: ['r.event_timestamp < g.as_of', 'not r.closing'],
  })
  const definitions = definitionsSql(parameters)
  return {
    joins: [
      `left join (\n${governing}\n) as g on true`,
      `left join (\n${definitions}\n) as gd on gd.definition = g.definition`,
      `left join lateral (\n${own}\n) as o on true`,
      `left join (\n${definitions}\n) as od on od.definition = o.definition`,
    ],
    isOther: 'g.as_of is not null and (gd.lacking is null or (o.as_of is not null and od.lacking is null))',
    lacking: `coalesce(gd.lacking, '{}') || coalesce(od.lacking, '{}')`,
  }
}
