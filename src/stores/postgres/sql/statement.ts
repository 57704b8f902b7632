/** A statement that can be pasted into psql once its parameters are filled in. */
export interface Sql {
  readonly text: string
  readonly values: readonly unknown[]
}
