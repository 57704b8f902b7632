import type { FromLocalTime } from '../../definitions/local-time.ts'
import { formatTimestamp, type Micros } from '../../definitions/timestamp.ts'
import type { Value } from '../../definitions/value.ts'
import type { ValueType } from '../../definitions/value-type.ts'
import type { FileBatch, WantedColumn } from '../../stores/file-reader.ts'
import type { ImportedRows } from '../../stores/import-store.ts'
import { allowedSkewMicros } from '../accept/allowed-skew.ts'
import { mismatch } from '../accept/mismatch.ts'
import { type ReadValue, readEventId, readRawValue } from '../accept/read-raw-value.ts'
import { Unfit } from '../accept/unfit.ts'
import type { ImportTarget } from './import-target.ts'
import { isUsualMark, readNulls } from './null-marks.ts'
import type { PartitionedFile } from './partition-columns.ts'

/** Why a row is quarantined; EXPECTATION: it can be read, and breaks what is expected of it. */
export const quarantineKinds = [
  'MALFORMED',
  'TIMESTAMP',
  'FUTURE',
  'MISSING_KEY',
  'TYPE',
  'EXPECTATION',
] as const
export type QuarantineKind = (typeof quarantineKinds)[number]

export interface ReadOptions {
  readonly opened: Pick<PartitionedFile, 'form' | 'timeColumns' | 'textColumns'>
  readonly fromLocalTime: FromLocalTime
  readonly fromDate: FromLocalTime
  /** The import's moment: the created timestamp of rows that bring none. */
  readonly now: Micros
  /** A key or an event id is stored that reads like a null mark of other tools. */
  readonly onUsualMark: (name: string, mark: string, rowNumber: number) => void
}

/** The first kind of problem of a row, and all its reasons. */
interface Problem {
  readonly kind: QuarantineKind
  readonly reasons: string[]
}

/** A batch in the stores' form; values of a row with a problem mean nothing. */
interface ReadColumns extends Omit<ImportedRows, 'kept'> {
  /** By the row's index in the batch. */
  readonly problems: ReadonlyMap<number, Problem>
}

/** The columns that `columnReader` needs in a batch, in order. */
export function wantedColumns(target: ImportTarget): readonly WantedColumn[] {
  return [
    { column: target.eventTimestamp, type: 'timestamp' },
    ...(target.createdTimestamp === null
      ? []
      : [{ column: target.createdTimestamp, type: 'timestamp' } as const]),
    ...(target.eventId === null ? [] : [{ column: target.eventId, type: null }]),
    ...target.columns.map(({ column, type }) => ({ column, type })),
  ]
}

/** Reads column by column, in the order of `wantedColumns`; no state between batches. */
export function columnReader(
  target: ImportTarget,
  { opened, fromLocalTime, fromDate, now, onUsualMark }: ReadOptions,
): (batch: FileBatch) => ReadColumns {
  const { reading } = target
  const reader = (column: string, type: ValueType, isKey: boolean): ReadValue => {
    const form = opened.textColumns.has(column) ? 'TEXT' : opened.form
    const timeColumn = form === 'TYPED' ? (opened.timeColumns.get(column) ?? null) : null
    const options = { type, form, isKey, timeColumn, fromLocalTime, fromDate, reading }
    return readNulls(type, reading.nulls, readRawValue(options))
  }
  const readId = readNulls(null, reading.nulls, readEventId)
  const readEventTime = reader(target.eventTimestamp, 'timestamp', false)
  const readCreated =
    target.createdTimestamp === null ? null : reader(target.createdTimestamp, 'timestamp', false)
  const readers = target.columns.map(({ column, type, isKey }) => reader(column, type, isKey))

  return (batch) => {
    const problems = new Map<number, Problem>()
    for (const [index, { reason }] of batch.malformed)
      problems.set(index, { kind: 'MALFORMED', reasons: [reason] })
    const report = (index: number, kind: QuarantineKind, reason: string): void => {
      if (batch.malformed.has(index)) return
      const known = problems.get(index)
      if (known) known.reasons.push(reason)
      else problems.set(index, { kind, reasons: [reason] })
    }
    const raws = batch.columns[Symbol.iterator]()
    const nextRaws = (): readonly unknown[] => raws.next().value ?? []

    const timeColumn = opened.timeColumns.get(target.eventTimestamp) ?? null
    const eventTimestamps = nextRaws().map((raw, index): Micros => {
      const read = readEventTime(raw)
      if (typeof read === 'number') {
        if (read > now + allowedSkewMicros) {
          const ahead = `event timestamp: ${formatTimestamp(read)} is more than 10 minutes ahead of the import`
          report(index, 'FUTURE', ahead)
        }
        return read
      }
      const wrong = read instanceof Unfit ? mismatch(read, raw, timeColumn) : `missing${standingFor(raw)}`
      report(index, 'TIMESTAMP', `event timestamp: ${wrong}`)
      return 0
    })
    const createdTimestamps =
      readCreated === null
        ? eventTimestamps.map(() => now)
        : nextRaws().map((raw, index): Micros | null => {
            const read = readCreated(raw)
            if (typeof read === 'number') {
              if (read > now) {
                const ahead = `created timestamp: ${formatTimestamp(read)} is in the future, later than the import`
                report(index, 'FUTURE', ahead)
              }
              const event = eventTimestamps[index] ?? 0
              if (target.view === null && event > read + allowedSkewMicros) {
                const ahead = `event timestamp: ${formatTimestamp(event)} is more than 10 minutes ahead of its created timestamp`
                report(index, 'FUTURE', ahead)
              }
              return read
            }
            if (read instanceof Unfit) report(index, 'TIMESTAMP', `created timestamp: ${mismatch(read, raw)}`)
            return target.nullCreated === 'arrival' ? now : null
          })
    const eventIds =
      target.eventId === null
        ? []
        : nextRaws().map((raw, index): string | null => {
            const read = readId(raw)
            if (read === null || typeof read === 'string') {
              if (read !== null && isUsualMark(read))
                onUsualMark('event id', read, batch.rowNumbers[index] ?? 0)
              return read
            }
            if (read instanceof Unfit) report(index, 'TYPE', `event id: ${mismatch(read, raw)}`)
            return null
          })
    const columns = target.columns.map(({ name, isKey, default: byDefault }, position) => {
      const read = readers[position] ?? (() => null)
      return nextRaws().map((raw, index): Value | null => {
        const value = read(raw)
        if (value instanceof Unfit) {
          report(index, 'TYPE', `${name}: ${mismatch(value, raw)}`)
          return null
        }
        if (value !== null) {
          if (isKey && typeof value === 'string' && value !== '' && isUsualMark(value))
            onUsualMark(name, value, batch.rowNumbers[index] ?? 0)
          return value
        }
        if (isKey && byDefault === null) report(index, 'MISSING_KEY', `${name}: missing${standingFor(raw)}`)
        return byDefault
      })
    })
    const { rowNumbers } = batch
    return { rowNumbers, eventTimestamps, createdTimestamps, eventIds, columns, problems }
  }
}

/** Where a null mark stands instead of a value. */
function standingFor(raw: unknown): string {
  return raw === null || raw === undefined || raw === ''
    ? ''
    : `, got the null mark ${JSON.stringify(String(raw))}`
}
