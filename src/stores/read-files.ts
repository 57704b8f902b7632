/** A file of which rows are read, as it was when it was listed. */
export interface ReadFile {
  readonly path: string
  readonly bytes: number
  /** Of its footer, which says of every column chunk where it stands, how long it is and what its least and greatest values are. */
  readonly checksum: string
}

/** The files that a view is answered from, listed once. */
export interface ReadFiles {
  /** The view's id, or the event source's name. */
  readonly of: string
  /** Where they were looked for. */
  readonly path: string
  /** Of a Delta table which one of its versions; absent: it is none. */
  readonly version?: number | undefined
  readonly files: readonly ReadFile[]
}
