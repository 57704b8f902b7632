import type { FromLocalTime } from '../../definitions/local-time.ts'
import { formatTimestamp, type Micros } from '../../definitions/timestamp.ts'
import type { Value } from '../../definitions/value.ts'
import { checkRow } from '../../quality/check-row.ts'
import type { FileBatch, FileForm, WantedColumn } from '../../stores/file-reader.ts'
import type { ImportedRows, QuarantinedFileRow } from '../../stores/import-store.ts'
import type { Violation } from '../../stores/violation-store.ts'
import { allowedSkewMicros } from '../accept/allowed-skew.ts'
import { told, unfit } from '../accept/mismatch.ts'
import { type ReadValue, readEventId, readFileValue, Unfit } from '../accept/read-raw-value.ts'
import type { ImportTarget } from './import-target.ts'

/** Why a row does not fit; EXPECTATION: it fits, and breaks what is expected of it. */
export const quarantineKinds = [
  'MALFORMED',
  'TIMESTAMP',
  'FUTURE',
  'MISSING_KEY',
  'TYPE',
  'EXPECTATION',
] as const
export type QuarantineKind = (typeof quarantineKinds)[number]

export interface FittedBatch {
  readonly rows: ImportedRows
  readonly quarantined: readonly (QuarantinedFileRow & { readonly kind: QuarantineKind })[]
  readonly violations: readonly Violation[]
  /** The place in `rows` that each violation is about. */
  readonly violationPlaces: readonly number[]
  /** Not kept, by their expectation. */
  readonly rejected: number
}

export interface FitOptions {
  readonly file: string
  readonly form: FileForm
  readonly localTimes: ReadonlySet<string>
  readonly fromLocalTime: FromLocalTime
  /** The import's moment: the created timestamp of rows that bring none. */
  readonly now: Micros
}

/** The columns that `rowFitter` needs in a batch, in order. */
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

interface Problem {
  readonly kind: QuarantineKind
  readonly reasons: string[]
}

/** Batches of a file → rows in the stores' form and what of them is kept. Reads column by column; no state between. */
export function rowFitter(target: ImportTarget, options: FitOptions): (batch: FileBatch) => FittedBatch {
  const { file, form, localTimes, fromLocalTime, now } = options
  const timeReader = (column: string): ReadValue =>
    readFileValue({
      type: 'timestamp',
      form,
      isKey: false,
      isLocalTime: localTimes.has(column),
      fromLocalTime,
    })
  const readEventTime = timeReader(target.eventTimestamp)
  const readCreated = target.createdTimestamp === null ? null : timeReader(target.createdTimestamp)
  const readers = target.columns.map(({ type, isKey, column }) =>
    readFileValue({ type, form, isKey, isLocalTime: localTimes.has(column), fromLocalTime }),
  )
  const keyPlaces = target.columns.flatMap(({ isKey }, place) => (isKey ? [place] : []))
  const expectingPlaces = target.columns.flatMap(({ expectation }, place) =>
    expectation === null ? [] : [place],
  )
  const expecting = {
    name: target.name,
    features: target.columns.filter(({ expectation }) => expectation !== null),
  }

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

    const eventTimestamps = nextRaws().map((raw, index): Micros => {
      const read = readEventTime(raw)
      if (typeof read === 'number') {
        if (read > now + allowedSkewMicros) {
          const told = `event timestamp: ${formatTimestamp(read)} is more than 10 minutes ahead of the import`
          report(index, 'FUTURE', told)
        }
        return read
      }
      report(index, 'TIMESTAMP', `event timestamp: ${read instanceof Unfit ? unfit(read, raw) : 'missing'}`)
      return 0
    })
    const createdTimestamps =
      readCreated === null
        ? eventTimestamps.map(() => now)
        : nextRaws().map((raw, index): Micros => {
            const read = readCreated(raw)
            if (typeof read === 'number') {
              const event = eventTimestamps[index] ?? 0
              if (target.view === null && event > read + allowedSkewMicros) {
                const told = `event timestamp: ${formatTimestamp(event)} is more than 10 minutes ahead of its created timestamp`
                report(index, 'FUTURE', told)
              }
              return read
            }
            if (read instanceof Unfit) report(index, 'TIMESTAMP', `created timestamp: ${unfit(read, raw)}`)
            return now
          })
    const eventIds =
      target.eventId === null
        ? []
        : nextRaws().map((raw, index): string | null => {
            const read = readEventId(raw)
            if (!(read instanceof Unfit)) return read
            report(index, 'TYPE', `event id: ${unfit(read, raw)}`)
            return null
          })
    const columns = target.columns.map(({ name, isKey, default: byDefault }, place) => {
      const read = readers[place] ?? (() => null)
      return nextRaws().map((raw, index): Value | null => {
        const value = read(raw)
        if (value instanceof Unfit) {
          report(index, 'TYPE', `${name}: ${unfit(value, raw)}`)
          return null
        }
        if (value !== null) return value
        if (isKey && byDefault === null) report(index, 'MISSING_KEY', `${name}: missing`)
        return byDefault
      })
    })

    const kept: number[] = []
    const violations: Violation[] = []
    const violationPlaces: number[] = []
    const quarantined: (QuarantinedFileRow & { kind: QuarantineKind })[] = []
    let rejected = 0
    const quarantine = (index: number, kind: QuarantineKind, reason: string): void => {
      quarantined.push({
        kind,
        view: target.name,
        content: contentOf(target, form, batch, index),
        reason,
        recordedAt: now,
        file,
        rowNumber: batch.rowNumbers[index] ?? 0,
      })
    }
    for (let index = 0; index < batch.rowNumbers.length; index += 1) {
      const problem = problems.size === 0 ? undefined : problems.get(index)
      if (problem) {
        quarantine(index, problem.kind, problem.reasons.join('; '))
        continue
      }
      if (expectingPlaces.length > 0) {
        const row = {
          key: keyPlaces.map((place) => keyPart(columns[place]?.[index])),
          values: expectingPlaces.map((place) => columns[place]?.[index] ?? null),
          eventTimestamp: eventTimestamps[index] ?? 0,
          createdTimestamp: null,
        }
        const checked = checkRow(expecting, row, now)
        violations.push(...checked.violations)
        violationPlaces.push(...checked.violations.map(() => index))
        if (checked.action === 'reject') {
          rejected += 1
          continue
        }
        if (checked.action === 'quarantine') {
          const told = checked.violations.map(({ feature, message }) => `${feature}: ${message}`)
          quarantine(index, 'EXPECTATION', told.join('; '))
          continue
        }
      }
      kept.push(index)
    }
    const rows = {
      kept,
      rowNumbers: batch.rowNumbers,
      eventTimestamps,
      createdTimestamps,
      eventIds,
      columns,
    }
    return { rows, quarantined, violations, violationPlaces, rejected }
  }
}

function keyPart(value: Value | null | undefined): string | number {
  return typeof value === 'number' ? value : String(value)
}

const maxMalformedCharacters = 10_000

/**
 * What is kept of a row, by registry name, in the shape of a pushed row: an entity's rows can be found by
 * `content->'key'`. Of a malformed one its text.
 */
function contentOf(target: ImportTarget, form: FileForm, batch: FileBatch, index: number): unknown {
  const malformed = batch.malformed.get(index)
  if (malformed) return { line: malformed.text.slice(0, maxMalformedCharacters) }
  const isTyped = form === 'TYPED'
  const raws = batch.columns.map((column) => column[index] ?? null)
  const raw = (type: string | null): unknown => told(raws.shift() ?? null, isTyped && type === 'timestamp')
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
