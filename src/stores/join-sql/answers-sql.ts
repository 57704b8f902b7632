import { type FeatureStatus, featureStatuses, statusCode } from '../../definitions/row-status.ts'
import { isNumeric } from '../../definitions/value-type.ts'
import type { FileJoin, JoinedEntry, JoinedRead } from '../file-join.ts'
import { duckDb, literalText, literalValue } from './sql-dialect.ts'
import { earliestStartSql } from './windows-sql.ts'

const code = (status: FeatureStatus): string => String(statusCode(status))

/** Of an entry by its place: its value and the number of its status. */
const valueColumn = (place: number): string => `v${place}`
const statusColumn = (place: number): string => `s${place}`

type FeatureEntry = Extract<JoinedEntry, { kind: 'feature' }>

function featureEntries({
  entries,
}: Pick<FileJoin, 'entries'>): readonly (readonly [FeatureEntry, number])[] {
  return entries.flatMap((entry, place) => (entry.kind === 'feature' ? [[entry, place] as const] : []))
}

/**
 * DuckDB's select of what every spine row is answered, in the spine's order: a value and a status for each feature of the vector, by the
 * rules of `foundRowStatus` and of empty windows. `spine` has `place`, `t` and the keys `key_0` …; `found` names, for each read,
 * the relation of the rows that were found.
 */
export function answersSelect(
  join: Pick<FileJoin, 'reads' | 'entries'>,
  { spine, found }: { readonly spine: string; readonly found: readonly string[] },
): string {
  const { reads } = join
  const judged = reads.map((read, index) => `${rowStatusSql(read, `r${index}`)} as j${index}`)
  const joined = reads.map(
    (_, index) => `left join ${found[index]} as r${index} on r${index}.place = s.place`,
  )
  const taken = featureEntries(join).map(([{ read, feature }, place]) => `r${read}.f${feature} as w${place}`)
  const columns = featureEntries(join).flatMap(([entry, place]) => {
    const own = reads[entry.read]
    const feature = own?.features[entry.feature]
    if (!own || !feature) throw new TypeError(`${entry.name} is of no read`)
    const [status, value] = [`j${entry.read}`, `w${place}`]
    const isWhole = ['t', ...own.keys.map((key) => `key_${key.place}`)]
      .map((column) => `${column} is not null`)
      .join(' and ')
    const empty =
      feature.emptyValue === null
        ? ''
        : ` when ${status} = ${code('NOT_FOUND')} and ${isWhole} then ${literalValue(feature.emptyValue, duckDb.typeOf(feature.type), duckDb)}`
    return [
      `case when ${status} = ${code('PRESENT')} then ${value}${empty} end as ${valueColumn(place)}`,
      `cast(case when ${status} = ${code('PRESENT')} and ${value} is null then ${code('NULL_VALUE')} else ${status} end as UTINYINT) as ${statusColumn(place)}`,
    ]
  })
  return [
    `select ${columns.join(',\n  ')}`,
    'from (',
    `  select s.*, ${[...judged, ...taken].join(',\n    ')}`,
    `  from ${spine} as s`,
    ...joined.map((line) => `  ${line}`),
    ')',
    'order by place',
  ].join('\n')
}

function rowStatusSql(read: JoinedRead, row: string): string {
  const missing = ['s.t', ...read.keys.map(({ place }) => `s.key_${place}`)]
    .map((column) => `${column} is null`)
    .join(' or ')
  const cases = [`when ${missing} then ${code('NOT_FOUND')}`]
  const { notKnown } = read
  if (notKnown.kind === 'HISTORY' && read.kind === 'WINDOWS')
    cases.push(
      `when ${earliestStartSql(read.aggregations, 's.t', duckDb)} < ${notKnown.storedSince} then ${code('UNAVAILABLE')}`,
    )
  if (notKnown.kind === 'NEVER_FILLED') {
    const before = notKnown.firstSnapshot === null ? '' : ` and s.t < ${notKnown.firstSnapshot}`
    cases.push(`when ${row}.e is null and s.t > ${notKnown.eventsSince}${before} then ${code('UNAVAILABLE')}`)
  }
  cases.push(`when ${row}.e is null or ${row}.closing then ${code('NOT_FOUND')}`)
  if (read.kind === 'ROWS' && read.ttlMicros !== null)
    cases.push(`when s.t - ${row}.e > ${read.ttlMicros} then ${code('OUTSIDE_TTL')}`)
  return `case ${cases.join(' ')} else ${code('PRESENT')} end`
}

/** What `madeColumns` says a training set adds to its spine, out of the answers `a` beside the spine `p`. */
export function madeColumnsSql(join: Pick<FileJoin, 'entries' | 'statuses' | 'vector'>): readonly string[] {
  const features = featureEntries(join)
  const named = (expression: string, name: string): string => `${expression} as ${duckDb.quoted(name)}`
  return [
    ...features.map(([{ name }, place]) => named(`a.${valueColumn(place)}`, name)),
    ...(join.statuses
      ? features.map(([{ name }, place]) =>
          named(
            `case a.${statusColumn(place)} ${featureStatuses.map((status) => `when ${code(status)} then '${status}'`).join(' ')} end`,
            `${name}__status`,
          ),
        )
      : []),
    ...(join.vector ? [named(`[${join.entries.map(vectorPlace).join(', ')}]`, 'vector')] : []),
  ]
}

function vectorPlace(entry: JoinedEntry, place: number): string {
  const byDefault = `cast(${entry.default} as DOUBLE)`
  if (entry.kind === 'feature')
    return `coalesce(${asNumber(`a.${valueColumn(place)}`, entry.type)}, ${byDefault})`
  if (entry.column === null) return byDefault
  const value = `try_cast(p.${duckDb.quoted(entry.column)} as ${duckDb.typeOf(entry.type)})`
  const number = asNumber(value, entry.type)
  return `coalesce(${entry.type.startsWith('float') ? duckDb.ifFinite(number) : number}, ${byDefault})`
}

function asNumber(value: string, type: string): string {
  return type === 'bool' ? `${value}::INTEGER::DOUBLE` : `${value}::DOUBLE`
}

/** Per feature: how often it had each status, in the order of `featureStatuses`, was null, and was not as expected; one row of all. */
export function countsSelect(join: Pick<FileJoin, 'entries'>, answers: string): string {
  const counted = featureEntries(join).flatMap(([{ allowed }, place]) => [
    ...featureStatuses.map((status) => `count(*) filter (${statusColumn(place)} = ${code(status)})`),
    `count(*) filter (${valueColumn(place)} is null)`,
    allowed === null ? '0' : `count(*) filter (${brokenSql(allowed, valueColumn(place))})`,
  ])
  return `select ${counted.length === 0 ? '0' : counted.join(',\n  ')} from ${answers}`
}

/** Of `brokenRules`: whether there is any. */
function brokenSql(
  { min, max, notNull, oneOf }: NonNullable<FeatureEntry['allowed']>,
  value: string,
): string {
  const broken = [
    ...(min === null ? [] : [`${value}::DOUBLE < ${min}`]),
    ...(max === null ? [] : [`${value}::DOUBLE > ${max}`]),
    ...(oneOf === null
      ? []
      : [
          `${value} not in (${oneOf.map((one) => (typeof one === 'string' ? literalText(one) : String(one))).join(', ')})`,
        ]),
  ]
  const parts = [
    ...(notNull ? [`${value} is null`] : []),
    ...broken.map((rule) => `(${value} is not null and ${rule})`),
  ]
  return parts.length === 0 ? 'false' : parts.join(' or ')
}

/** Columns of the answers that a card has numbers of, by the features' names. */
export function summarizedColumns(
  join: Pick<FileJoin, 'entries'>,
): readonly { readonly name: string; readonly number: string; readonly column: string }[] {
  return featureEntries(join)
    .filter(([{ type }]) => isNumeric(type))
    .map(([{ name, type }, place]) => ({
      name,
      column: valueColumn(place),
      number: asNumber(valueColumn(place), type),
    }))
}
