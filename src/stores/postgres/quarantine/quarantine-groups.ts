import type { QuarantineFilter } from '../../quarantine-store.ts'
import { microsOf } from '../sql/column-type.ts'
import type { Sql } from '../sql/statement.ts'

/** A message has its topic, a file's row its file; a batch run writes keys in order, a push by name. */
export const cameBySql = `case when q.topic_id is not null then 'message' when q.file is not null then 'file'
  when jsonb_typeof(q.content->'key') = 'array' then 'batch' else 'push' end`

export const filterSql = `q.project = $1 and ($2::text is null or q.view = $2) and ($3::text is null or (${cameBySql}) = $3)`

export const filterValues = (
  project: string,
  { name, cameBy }: QuarantineFilter,
): readonly (string | null)[] => [project, name, cameBy]

/** What stands for values in a reason: JSON after "got", a number against its bound, a time, whose event it was. */
const valuesInReasons: readonly (readonly [pattern: string, instead: string])[] = [
  [String.raw`, got ("([^"\\]|\\.)*"?…?|[^;]*)`, ''],
  ['Value [^;]*? (above|below|is none of)', String.raw`Value \1`],
  [String.raw`\d{4}-\d\d-\d\dT[0-9:.]+Z`, '…'],
  ['^an event of source "[^"]*" does not fit: ', ''],
]

/** Counts by name, way in and reason without its values. */
export function quarantineGroupsSql(project: string, filter: QuarantineFilter, first: number): Sql {
  const values: unknown[] = [...filterValues(project, filter), first]
  const reason = valuesInReasons.reduce(
    (text, [pattern, instead]) =>
      `regexp_replace(${text}, $${values.push(pattern)}, $${values.push(instead)}, 'g')`,
    'q.reason',
  )
  return {
    text: [
      `select e.name, e."cameBy", e.reason, count(*) as rows, ${microsOf('max(e.recorded_at)')} as "newestAt"`,
      `from (select q.view as name, ${cameBySql} as "cameBy", ${reason} as reason, q.recorded_at`,
      `  from featuregraph.quarantine as q where ${filterSql}) as e`,
      'group by e.name, e."cameBy", e.reason',
      'order by e.name, count(*) desc, e."cameBy", e.reason',
      'limit $4',
    ].join('\n'),
    values,
  }
}
