/** Where a worker or a stream reports what it does. */
export interface RunLog {
  readonly info: (line: string) => void
  readonly warn: (line: string, error: unknown) => void
}
