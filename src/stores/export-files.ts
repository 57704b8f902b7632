import type { KeyValue, Value } from '../definitions/value.ts'
import type { ExportColumn } from './rows-to-export.ts'

/** Files below one folder, of this machine or of an object store, by their names from it on, with `/` between parts. */
export interface ExportFolder {
  /** As the caller gave it, without a slash at its end. */
  readonly path: string
  /** Makes a folder of this machine for files on their way, and removes those of processes that were killed. */
  readonly stage: () => Promise<string>
  /** Of all files below it; none where it is not there. */
  readonly list: () => Promise<readonly string[]>
  /** Null: there is no such file. */
  readonly read: (file: string) => Promise<string | null>
  /** Whole or not at all. */
  readonly write: (file: string, text: string) => Promise<void>
  /** The staged file under its name, whole or not at all. */
  readonly publish: (staged: string, file: string) => Promise<void>
  /** Of files that are gone already nothing happens. */
  readonly remove: (files: readonly string[]) => Promise<void>
  /** Removes what was staged. */
  readonly close: () => Promise<void>
}

/** @throws BadUserInput where the path cannot be a folder. */
export type OpenExportFolder = (path: string) => ExportFolder

interface WrittenPart {
  readonly rows: number
  readonly bytes: number
}

/** Rows on their way into one Parquet file after the other. */
export interface PartWriter {
  /** Rows that no file has yet. */
  readonly pending: () => number
  readonly add: (row: readonly (Value | null)[]) => void
  /** All pending rows, in order, as a new file. */
  readonly write: (file: string) => Promise<WrittenPart>
  readonly close: () => void
}

export interface PartFiles {
  /** Memory is bounded; what does not fit goes to `folder`. */
  readonly writer: (columns: readonly ExportColumn[], folder: string) => Promise<PartWriter>
  /** Whether some row of the file has such a key. Reads these columns alone. */
  readonly someKey: (
    path: string,
    columns: readonly string[],
    isMeant: (key: readonly (KeyValue | null)[]) => boolean,
  ) => Promise<boolean>
}
