/** A statement's rows on the offline database as a Parquet file, so that they can be a spine. */
export interface SpineQuery {
  /**
   * Runs the statement in a read-only transaction and writes its rows, in their order, with the types that they have in the
   * database. Memory does not grow with the rows; others are kept beside `target` until it is there.
   * @throws BadUserInput for what is not one select, for what the database refuses (with its words and the place in the
   * statement), and for columns without a name of their own.
   */
  readonly toParquet: (statement: string, target: string) => Promise<void>
}
