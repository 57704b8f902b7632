import { type CheckedRow, checkRow } from '../../quality/check-row.ts'
import type { FileBatch } from '../../stores/file-reader.ts'
import type { ImportedRows, QuarantinedFileRow } from '../../stores/import-store.ts'
import type { Violation } from '../../stores/violation-store.ts'
import { jsonOf } from '../accept/mismatch.ts'
import type { ImportTarget } from './import-target.ts'
import { columnReader, type QuarantineKind, type ReadOptions } from './read-columns.ts'

type QuarantinedRow = QuarantinedFileRow & { readonly kind: QuarantineKind }

export interface JudgedBatch {
  readonly rows: ImportedRows
  readonly quarantined: readonly QuarantinedRow[]
  readonly violations: readonly Violation[]
  /** The index in `rows` that each violation is about. */
  readonly violationPlaces: readonly number[]
  /** Stored nowhere, by their expectation. */
  readonly rejectedRows: readonly { readonly rowNumber: number; readonly reason: string }[]
}

/** Batches of a file → rows in the stores' form, and which of them are to be stored. No state between batches. */
export function rowJudge(
  target: ImportTarget,
  options: ReadOptions & { readonly file: string },
): (batch: FileBatch) => JudgedBatch {
  const { file, opened, now } = options
  const readColumns = columnReader(target, options)
  const check = expectationCheck(target, now)

  return (batch) => {
    const { problems, ...columns } = readColumns(batch)
    const kept: number[] = []
    const violations: Violation[] = []
    const violationPlaces: number[] = []
    const quarantined: QuarantinedRow[] = []
    const rejectedRows: { rowNumber: number; reason: string }[] = []
    const quarantine = (index: number, kind: QuarantineKind, reasons: readonly string[]): void => {
      quarantined.push({
        ...{ kind, view: target.recordedAs, recordedAt: now, file, reason: reasons.join('; ') },
        content: contentOf(target, opened, batch, index),
        rowNumber: batch.rowNumbers[index] ?? 0,
      })
    }
    for (let index = 0; index < batch.rowNumbers.length; index += 1) {
      const problem = problems.size === 0 ? undefined : problems.get(index)
      if (problem) {
        quarantine(index, problem.kind, problem.reasons)
        continue
      }
      const checked = check === null ? null : check(columns, index)
      if (checked !== null) {
        violations.push(...checked.violations)
        violationPlaces.push(...checked.violations.map(() => index))
        if (checked.action === 'reject') {
          const reason = reasonsOf(checked).join('; ')
          rejectedRows.push({ rowNumber: batch.rowNumbers[index] ?? 0, reason })
          continue
        }
        if (checked.action === 'quarantine') {
          quarantine(index, 'EXPECTATION', reasonsOf(checked))
          continue
        }
      }
      kept.push(index)
    }
    return { rows: { ...columns, kept }, quarantined, violations, violationPlaces, rejectedRows }
  }
}

function reasonsOf({ violations }: CheckedRow): readonly string[] {
  return violations.map(({ feature, message }) => `${feature}: ${message}`)
}

/** Null where nothing is expected of the rows. */
function expectationCheck(target: ImportTarget, now: number) {
  const positionsOf = (isWanted: (column: ImportTarget['columns'][number]) => boolean): readonly number[] =>
    target.columns.flatMap((column, position) => (isWanted(column) ? [position] : []))
  const expecting = positionsOf(({ expectation }) => expectation !== null)
  if (expecting.length === 0) return null
  const keys = positionsOf(({ isKey }) => isKey)
  const expected = {
    id: target.recordedAs,
    features: target.columns.filter(({ expectation }) => expectation !== null),
  }
  return ({ columns, eventTimestamps }: Omit<ImportedRows, 'kept'>, index: number): CheckedRow => {
    const row = {
      key: keys.map((position) => String(columns[position]?.[index])),
      values: expecting.map((position) => columns[position]?.[index] ?? null),
      eventTimestamp: eventTimestamps[index] ?? 0,
      createdTimestamp: null,
    }
    return checkRow(expected, row, now)
  }
}

const maxMalformedCharacters = 10_000

/**
 * What is stored of a quarantined row, by registry name, in the shape of a pushed row: an entity's rows can be found by
 * `content->'key'`. Of a malformed one its text.
 */
function contentOf(
  target: ImportTarget,
  { timeColumns }: ReadOptions['opened'],
  batch: FileBatch,
  index: number,
): unknown {
  const malformed = batch.malformed.get(index)
  if (malformed) return { line: malformed.text.slice(0, maxMalformedCharacters) }
  const raws = batch.columns.map((column) => column[index] ?? null)
  const raw = (column: string): unknown => jsonOf(raws.shift() ?? null, timeColumns.get(column) ?? null)
  const eventTimestamp = raw(target.eventTimestamp)
  const times = {
    eventTimestamp,
    ...(target.createdTimestamp === null ? {} : { createdTimestamp: raw(target.createdTimestamp) }),
    ...(target.eventId === null ? {} : { eventId: raw(target.eventId) }),
  }
  const key: Record<string, unknown> = {}
  const values: Record<string, unknown> = {}
  for (const { name, column, isKey } of target.columns) (isKey ? key : values)[name] = raw(column)
  return { key, values, ...times }
}
