import type { ImportedRows } from '../../import-store.ts'

/** Writes a file's rows to one table, within a transaction. */
export interface RowWriter {
  readonly write: (rows: ImportedRows) => Promise<void>
  /** Ends the COPY that is open, if any: the connection takes other statements then. */
  readonly pause: () => Promise<void>
  /** Gives up a COPY that is open, so that the transaction can be rolled back. */
  readonly abort: () => Promise<void>
  /** What is to be written once all rows are. */
  readonly finish: () => Promise<void>
}

/** Encoded rows are handed on when so many bytes have gathered. */
export const copyPieceBytes = 262_144
