import type { ValueType } from '../../definitions/value-type.ts'
import { BadUserInput } from '../../errors.ts'
import type { FeatureService } from '../../registry/registry.ts'
import { suggest } from '../../registry/suggest.ts'
import type { OpenedFile } from '../../stores/file-reader.ts'

/** A column of the spine that is read. */
interface ReadColumn {
  /** Of the join key or the request value. */
  readonly name: string
  readonly type: ValueType
  /** Null: the spine has none, which only an optional request value may. */
  readonly column: string | null
  readonly isKey: boolean
}

/** Where a spine's columns go. */
export interface SpinePlan {
  readonly time: string
  /** The service's join keys, then its request values, each in their order. */
  readonly read: readonly ReadColumn[]
  /** All columns of the spine, in order. */
  readonly columns: readonly string[]
}

export interface SpineOptions {
  /** Column of the spine → join key or request value, where they are called otherwise. */
  readonly map: ReadonlyMap<string, string>
  /** The column of the rows' times; null: `event_timestamp`, else the only column of times. */
  readonly time: string | null
}

const usualTime = 'event_timestamp'
/** What pandas writes of a frame's index. */
const pandasIndex = /^(?:__index_level_\d+__|Unnamed: \d+|)$/

/**
 * @throws BadUserInput naming the columns that are missing, mapped twice or mapped to nothing, and those that are called like
 * what is made; all at once.
 */
export function planSpine(
  {
    columns: stored,
    columnsAreFixed,
    timeColumns,
  }: Pick<OpenedFile, 'columns' | 'columnsAreFixed' | 'timeColumns'>,
  service: FeatureService,
  made: readonly string[],
  { map, time }: SpineOptions,
): SpinePlan {
  const columns = stored.filter((name) => !pandasIndex.test(name))
  const problems: string[] = []
  const known = [
    ...service.joinKeys.map(({ name, type }) => ({ name, type, isKey: true, optional: false })),
    ...service.requests.map(({ name, type, optional }) => ({ name, type, isKey: false, optional })),
  ]
  for (const [column, name] of map) {
    if (!columns.includes(column))
      problems.push(
        `--map ${column}=${name}: the spine has no column "${column}"; ${suggest(column, columns)}`,
      )
    if (!known.some((one) => one.name === name)) {
      const names = known.map((one) => one.name)
      problems.push(
        `--map ${column}=${name}: "${name}" is no join key or request value; ${suggest(name, names)}`,
      )
    }
  }
  const read = known.map(({ name, type, isKey, optional }): ReadColumn => {
    const mapped = [...map].filter(([, target]) => target === name).map(([column]) => column)
    if (mapped.length > 1) problems.push(`--map names two columns for "${name}": ${mapped.join(' and ')}`)
    const column = mapped[0] ?? (columns.includes(name) ? name : null)
    if (column === null && !optional && (columnsAreFixed || isKey))
      problems.push(
        `the spine has no column "${name}" (${isKey ? 'join key' : 'request value'}, ${type}); it has ${columns.join(', ')}; another column is taken by --map <column>=${name}`,
      )
    return { name, type, column, isKey }
  })
  const taken = columns.filter((column) => made.includes(column))
  if (taken.length > 0)
    problems.push(
      `columns of the spine are called like features: ${taken.join(', ')}; --full-names calls features <view>__<feature>, or rename the columns`,
    )
  const chosen = timeOf(columns, timeColumns, time)
  if (chosen === null)
    problems.push(
      time === null
        ? `the spine has no column "${usualTime}" of the rows' times; name it by --time <column>, of ${columns.join(', ')}`
        : `the spine has no column "${time}" (--time); ${suggest(time, columns)}`,
    )
  if (problems.length > 0) throw new BadUserInput(problems.join('\n'))
  return { time: chosen ?? '', read, columns }
}

function timeOf(
  columns: readonly string[],
  timeColumns: OpenedFile['timeColumns'],
  asked: string | null,
): string | null {
  if (asked !== null) return columns.includes(asked) ? asked : null
  if (columns.includes(usualTime)) return usualTime
  const times = columns.filter((column) =>
    ['INSTANT', 'LOCAL', 'DATE'].includes(timeColumns.get(column) ?? ''),
  )
  return times.length === 1 ? (times[0] ?? null) : null
}
