import type { ScalarType } from '../definitions/value-type.ts'

/**
 * EXPORTED: as `featuregraph export` writes them, with the verdict, the counted time and the position of each event. PLAIN: fields and
 * `event_timestamp` alone: every event counts, at that time.
 */
export type EventForm = 'EXPORTED' | 'PLAIN'

/** Folders of Parquet with events. */
export interface EventFiles {
  /**
   * What the files at any depth below a folder are, but for names that begin with `_` or `.`. The fields stand in columns of their
   * names. Reads the footers.
   * @throws BadUserInput with all that is wrong with them: none there, a column that is missing, of a type that cannot become the
   * field's or that differs between files, times that are no instants.
   */
  readonly formOf: (
    folder: string,
    fields: readonly { readonly name: string; readonly type: ScalarType }[],
  ) => Promise<EventForm>
}
