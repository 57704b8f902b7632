import { type FromLocalTime, fromLocalTime } from '../../definitions/local-time.ts'
import type { Micros } from '../../definitions/timestamp.ts'
import type { EntityKey, FeatureRow, ScalarValue, Value } from '../../definitions/value.ts'
import { BadUserInput } from '../../errors.ts'
import { noNumbers } from '../../stores/file-reader.ts'
import type { ImportedRows } from '../../stores/import-store.ts'
import type { QuarantinedEntry } from '../../stores/quarantine-store.ts'
import type { ImportTarget } from '../files/import-target.ts'
import { type JudgedBatch, rowJudge } from '../files/judge-rows.ts'
import { partitionColumns } from '../files/partition-columns.ts'
import { wantedColumns } from '../files/read-columns.ts'
import { entryContent } from './entry-content.ts'
import type { EntryVerdict } from './judge-entry.ts'

/**
 * A file's row by the rules of an import of today, from what is stored of it: the text of a CSV's values, else JSON. A time
 * without an offset needs the source's timezone, whatever options the import had.
 */
export function judgeFileEntry(target: ImportTarget, entry: QuarantinedEntry, now: Micros): EntryVerdict {
  const parsed = entryContent.safeParse(entry.content)
  if (!parsed.success) return { status: 'STAYS', reason: entry.reason }
  const { key, values, eventTimestamp, createdTimestamp, eventId } = parsed.data
  const stored: Readonly<Record<string, unknown>> = { ...values, ...key }
  const raws = [
    eventTimestamp,
    ...(target.createdTimestamp === null ? [] : [createdTimestamp]),
    ...(target.eventId === null ? [] : [eventId]),
    ...target.columns.map(({ name }) => stored[name]),
  ]
  if (raws.length !== wantedColumns(target).length)
    throw new TypeError(`the stored rows of ${target.name} do not have the columns of its files`)
  const file = entry.file ?? { path: '', row: 0 }
  const judge = rowJudge(target, {
    file: file.path,
    opened: {
      // Times and bytes of typed files are stored as text.
      form: typedOrJson.test(file.path) ? 'JSON' : 'TEXT',
      timeColumns: new Map(),
      textColumns: new Set(partitionColumns(file.path).keys()),
    },
    fromLocalTime: localTime(target.timezone),
    fromDate: fromLocalTime(target.timezone ?? 'UTC'),
    onUsualMark: () => {},
    now,
  })
  try {
    const columns = raws.map((raw) => [raw ?? null])
    const batch = { rowNumbers: [file.row], columns, numbers: noNumbers, malformed: new Map(), done: 1 }
    return verdictOf(target, judge(batch))
  } catch (error) {
    if (!(error instanceof BadUserInput)) throw error
    return { status: 'STAYS', reason: error.message }
  }
}

const typedOrJson = /\.(?:parquet|json|ndjson|jsonl)(?:\.gz)?$/i

function localTime(timezone: string | null): FromLocalTime {
  if (timezone !== null) return fromLocalTime(timezone)
  return () => {
    throw new BadUserInput(
      "a time without an offset; give the source a timezone, as timezone: 'Europe/Berlin'",
    )
  }
}

function verdictOf(target: ImportTarget, { rows, quarantined, violations }: JudgedBatch): EntryVerdict {
  const [problem] = quarantined
  if (problem) return { status: 'STAYS', reason: problem.reason }
  if (rows.kept.length === 0) {
    const reason = violations.map(({ feature, message }) => `${feature}: ${message}`).join('; ')
    return { status: 'STAYS', reason }
  }
  const eventTimestamp = rows.eventTimestamps[0] ?? 0
  return target.table.kind === 'EVENTS'
    ? { status: 'EVENT', event: { ...eventOf(rows, eventTimestamp), violations } }
    : { status: 'ROW', row: { row: rowOf(target, rows, eventTimestamp), violations } }
}

function eventOf({ columns, eventIds }: ImportedRows, eventTimestamp: Micros) {
  const values = columns.map(([value]) => scalar(value ?? null))
  return { eventTimestamp, eventId: eventIds[0] ?? null, values }
}

/** Fields of events are no lists. */
function scalar(value: Value | null): ScalarValue | null {
  return isScalar(value) ? value : null
}

function isScalar(value: Value | null): value is ScalarValue {
  return value !== null && !Array.isArray(value)
}

function rowOf(target: ImportTarget, rows: ImportedRows, eventTimestamp: Micros): FeatureRow {
  const values = rows.columns.map(([value]) => value ?? null)
  const isKey = (position: number): boolean => target.columns[position]?.isKey === true
  return {
    key: values.filter((_, position) => isKey(position)).filter(isKeyValue),
    values: values.filter((_, position) => !isKey(position)),
    eventTimestamp,
    createdTimestamp: rows.createdTimestamps[0] ?? null,
  }
}

function isKeyValue(value: Value | null): value is EntityKey[number] {
  return typeof value === 'number' || typeof value === 'string'
}
