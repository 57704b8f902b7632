import { digestOf } from './feature-digest.ts'
import type { SourceReading } from './source-reading.ts'

/** What decides which rows a file gives, and which of them are stored. */
export interface ImportDigest {
  /** Of all that decides how a row is read. */
  readonly reading: string
  /** Of what is expected of rows. */
  readonly expected: string
}

interface DigestedImport {
  readonly eventTimestamp: string
  readonly createdTimestamp: string | null
  readonly nullCreated: string | null
  readonly eventId: string | null
  readonly timezone: string | null
  readonly reading: SourceReading
  readonly columns: readonly {
    /** A field's name, a feature's first one. */
    readonly id: string
    readonly type: string
    readonly column: string
    readonly isKey: boolean
    readonly default: unknown
    readonly expectation: unknown
  }[]
  readonly rowCount: unknown
}

/**
 * Equal where a file that was imported by one definition of its source would give the same by the other: then it need not
 * come again. Names, descriptions and the order of columns are no part of it.
 */
export function importDigest(source: DigestedImport): ImportDigest {
  const { unit, dates, format, nulls, decimalComma } = source.reading
  const columns = [...source.columns].sort(({ id: left }, { id: right }) => (left < right ? -1 : 1))
  return {
    reading: digestOf([
      ...[source.eventTimestamp, source.createdTimestamp, source.nullCreated, source.eventId],
      ...[source.timezone, unit, dates, format, [...nulls].sort(), decimalComma],
      columns.map(({ id, type, column, isKey, default: byDefault }) => [id, type, column, isKey, byDefault]),
    ]),
    expected: digestOf([columns.map(({ id, expectation }) => [id, expectation]), source.rowCount]),
  }
}
