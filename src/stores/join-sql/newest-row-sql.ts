import type { JoinedKnownAt, RowRead } from '../file-join.ts'

/** Relations of one read, by their names. */
export interface ReadRelations {
  /** Keys `k0` …, `e`, `c`, `r`, `closing`, `f0` …, see `rowFilesSql`. */
  readonly rows: string
  /** Spine rows with all of the read's keys and a time: `place`, `k0` …, `t`. */
  readonly asked: string
  /** To be made: `place`, `e`, `closing`, `f0` …, where a row was found. */
  readonly found: string
}

type ReadShape = Pick<RowRead, 'keys' | 'features'>

/**
 * DuckDB's statements that find each asked row's newest row by the total order. ASOF JOIN over keys and times alone finds the
 * event timestamp, since it sorts what it joins; the rows themselves, with all that are tied, come by a hash join over the few
 * that were found. Where each row is known at its own time, a row that was created later than that behind its event
 * counts from then on: of these the newest so far, key by key, are a staircase over the moments at which they became known.
 */
export function newestRowStatements(
  { keys, features }: ReadShape,
  { rows, asked, found }: ReadRelations,
  knownAt: JoinedKnownAt,
): readonly string[] {
  const columns = keys.map((_, index) => `k${index}`)
  const list = columns.join(', ')
  const equal = (left: string, right: string): string =>
    columns.map((key) => `${left}.${key} = ${right}.${key}`).join(' and ')
  const matched = `${found}_matched`
  const match = (from: string, time: string): string =>
    `select s.place, s.t, ${columns.map((key) => `s.${key}`).join(', ')}, x.e\nfrom ${asked} as s asof join ${from} as x on ${equal('s', 'x')} and s.t >= x.${time}`
  const delay = knownAt.kind === 'ROW' ? knownAt.delayMicros : null
  const matches =
    delay === null
      ? [match(`(select ${list}, e from ${rows})`, 'e')]
      : [
          match(`(select ${list}, e from ${rows} where c is null or c <= e + ${delay})`, 'e'),
          match(
            `(select ${list}, c - ${delay} as v, max(e) over (partition by ${list} order by c) as e from ${rows} where c > e + ${delay})`,
            'v',
          ),
        ]
  // Without row ids by what they hold, so that every reading agrees.
  const contents =
    features.length === 0 ? '' : `, row(${features.map((_, index) => `f${index}`).join(', ')}) desc`
  const values = ['x.e', 'x.c', 'x.r', 'x.closing', ...features.map((_, index) => `x.f${index}`)]
  const known = delay === null ? '' : `\nwhere x.c is null or x.c <= m.t + ${delay}`
  return [
    `create temp table ${matched} as\n${matches.join('\nunion\n')}`,
    `create temp table ${found} as\nselect m.place, ${values.join(', ')}\nfrom ${rows} as x join ${matched} as m on ${equal('x', 'm')} and x.e = m.e${known}`,
    // Of rows that are tied at their event timestamp, and of two candidates.
    `delete from ${found} where rowid in (
  select id from (
    select rowid as id, row_number() over (partition by place order by e desc, c desc nulls last, r desc${contents}) as nth
    from ${found} where place in (select place from ${found} group by place having count(*) > 1)
  ) where nth > 1
)`,
    `drop table ${matched}`,
  ]
}

/**
 * Spark's select of the same: rows and asked rows of a key in the order in which they count, and of the rows so far the greatest
 * by the total order, in one sort a key. Features stand behind the row id, so that they decide only where nothing else does.
 */
export function newestRowSelect(
  { keys, features }: ReadShape,
  { rows, asked }: Omit<ReadRelations, 'found'>,
  knownAt: JoinedKnownAt,
): string {
  const columns = keys.map((_, index) => `k${index}`).join(', ')
  const counts = knownAt.kind === 'ROW' ? `greatest(e, coalesce(c - ${knownAt.delayMicros}, e))` : 'e'
  const own = ['e', 'c', 'r', 'closing', ...features.map((_, index) => `f${index}`)]
  const struct = own
    .map((name) => `'${name}', ${name === 'c' ? `coalesce(c, ${leastMicros})` : name}`)
    .join(', ')
  return `select place, w.e as e, w.closing as closing${features.map((_, index) => `, w.f${index} as f${index}`).join('')}
from (
  select place, max(found) over (partition by ${columns} order by at, kind rows between unbounded preceding and current row) as w
  from (
    select ${columns}, ${counts} as at, 0 as kind, cast(null as bigint) as place, named_struct(${struct}) as found from ${rows}
    union all
    select ${columns}, t, 1, place, null from ${asked}
  )
)
where place is not null and w is not null`
}

/** No created timestamp is older; Spark reads the least 64-bit integer only with its sign. */
const leastMicros = '-9223372036854775807'
