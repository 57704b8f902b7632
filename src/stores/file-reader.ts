import type { ValueType } from '../definitions/value-type.ts'

/** What a file is read as. */
export const fileFormats = ['parquet', 'csv', 'ndjson', 'json', 'arrow'] as const
export type FileFormat = (typeof fileFormats)[number]

/**
 * What a batch's values are: TEXT of CSV (null where nothing stands, not even quotes), JSON (undefined where a line
 * lacks the field, a bigint for an integer that is no safe one), or TYPED: as `acceptValue` takes them, integers also as
 * bigint, a timestamp by its `TimeColumn`.
 */
export type FileForm = 'TEXT' | 'JSON' | 'TYPED'

/**
 * What the numbers of a typed column that is read as timestamps are: microseconds of an instant, of local time, the midnight
 * of a day as if it were one of UTC, or as they stand in the file.
 */
export type TimeColumn = 'INSTANT' | 'LOCAL' | 'DATE' | 'NUMBER'

/** `type` null: any scalar, as text. */
export interface WantedColumn {
  readonly column: string
  readonly type: ValueType | null
}

/** A row that could not be taken apart, as it stands in the file. */
export interface MalformedRow {
  readonly text: string
  readonly reason: string
}

export interface FileBatch {
  /** From 1 on: a row of the Parquet file, a record of the CSV after its header, a line of NDJSON. */
  readonly rowNumbers: readonly number[]
  /** Per wanted column, in order, one entry a row; null or undefined where the file lacks the column. */
  readonly columns: readonly (readonly unknown[])[]
  /**
   * As `columns[place]` of a TYPED file, without an object a value: NaN for null. Null where a value is no number, or an integer
   * that no number holds exactly.
   */
  readonly numbers: (place: number) => Float64Array | null
  /** By index in the batch; the columns hold null there. */
  readonly malformed: ReadonlyMap<number, MalformedRow>
  /** How much of the file has been read, from 0 to 1. */
  readonly done: number
}

/** Of a file whose values are not typed. */
export const noNumbers = (): null => null

/** Rows of a file by their place, from 0 on; `to` is behind the last. */
export interface RowRange {
  readonly from: number
  readonly to: number
}

export interface OpenedFile {
  readonly form: FileForm
  /** The Parquet file of a TYPED one's rows, itself or a copy; null of others. */
  readonly parquet: string | null
  /** What the file has; of NDJSON what its first lines have, others may follow. */
  readonly columns: readonly string[]
  /** False: a column that no line seems to have is no error, its values are null. */
  readonly columnsAreFixed: boolean
  /** Columns of TYPED files that can be read as timestamps. */
  readonly timeColumns: ReadonlyMap<string, TimeColumn>
  /**
   * Rows in the file's order, in batches of a bounded number. Of a TYPED file only `rows`, where it is given; others, whose
   * rows can only be counted, hand on all.
   * @throws BadUserInput where a column's type cannot become the wanted one, or the file breaks off.
   */
  readonly read: (wanted: readonly WantedColumn[], rows?: RowRange | null) => AsyncIterable<FileBatch>
  readonly close: () => Promise<void>
}

/** Files of one format. */
export interface FileReader {
  /** @throws BadUserInput for a file that cannot be read as one of the format. */
  readonly open: (path: string) => Promise<OpenedFile>
}

export interface FoundFiles {
  /** FOLDER: all that is there, files of other kinds too; FILES: each was named, or matched by a part of its name. */
  readonly kind: 'FILES' | 'FOLDER'
  readonly files: readonly string[]
}

/** Files that the process can reach. */
export interface FileStore {
  /**
   * The files that a path or pattern names, by name. A path that is a file means itself, whatever characters it has; a folder
   * means the files below it. Names that begin with `_` or `.` are left out where they were not asked for.
   * @throws BadUserInput where there is none.
   */
  readonly find: (pattern: string) => Promise<FoundFiles>
  /** sha-256 of the bytes, in hex. */
  readonly digest: (path: string) => Promise<string>
  readonly open: (path: string, format: FileFormat) => Promise<OpenedFile>
}
