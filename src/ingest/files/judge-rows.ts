import { type CheckedRow, checkRow } from '../../quality/check-row.ts'
import type { FileBatch, FileForm } from '../../stores/file-reader.ts'
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
  readonly rejected: number
}

/** Batches of a file → rows in the stores' form, and which of them are to be stored. No state between batches. */
export function rowJudge(
  target: ImportTarget,
  options: ReadOptions & { readonly file: string },
): (batch: FileBatch) => JudgedBatch {
  const { file, form, now } = options
  const readColumns = columnReader(target, options)
  const check = expectationCheck(target, now)

  return (batch) => {
    const { problems, ...columns } = readColumns(batch)
    const kept: number[] = []
    const violations: Violation[] = []
    const violationPlaces: number[] = []
    const quarantined: QuarantinedRow[] = []
    let rejected = 0
    const quarantine = (index: number, kind: QuarantineKind, reasons: readonly string[]): void => {
      quarantined.push({
        ...{ kind, view: target.name, recordedAt: now, file, reason: reasons.join('; ') },
        content: contentOf(target, form, batch, index),
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
          rejected += 1
          continue
        }
        if (checked.action === 'quarantine') {
          const reasons = checked.violations.map(({ feature, message }) => `${feature}: ${message}`)
          quarantine(index, 'EXPECTATION', reasons)
          continue
        }
      }
      kept.push(index)
    }
    return { rows: { ...columns, kept }, quarantined, violations, violationPlaces, rejected }
  }
}

/** Null where nothing is expected of the rows. */
function expectationCheck(target: ImportTarget, now: number) {
  const positionsOf = (isWanted: (column: ImportTarget['columns'][number]) => boolean): readonly number[] =>
    target.columns.flatMap((column, position) => (isWanted(column) ? [position] : []))
  const expecting = positionsOf(({ expectation }) => expectation !== null)
  if (expecting.length === 0) return null
  const keys = positionsOf(({ isKey }) => isKey)
  const expected = {
    name: target.name,
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
function contentOf(target: ImportTarget, form: FileForm, batch: FileBatch, index: number): unknown {
  const malformed = batch.malformed.get(index)
  if (malformed) return { line: malformed.text.slice(0, maxMalformedCharacters) }
  const isTyped = form === 'TYPED'
  const raws = batch.columns.map((column) => column[index] ?? null)
  const raw = (type: string | null): unknown => jsonOf(raws.shift() ?? null, isTyped && type === 'timestamp')
  const eventTimestamp = raw('timestamp')
  const times = {
    eventTimestamp,
    ...(target.createdTimestamp === null ? {} : { createdTimestamp: raw('timestamp') }),
    ...(target.eventId === null ? {} : { eventId: raw(null) }),
  }
  const key: Record<string, unknown> = {}
  const values: Record<string, unknown> = {}
  for (const { name, type, isKey } of target.columns) (isKey ? key : values)[name] = raw(type)
  return { key, values, ...times }
}
