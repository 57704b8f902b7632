/** What those who run a stream are told as it goes on. */
export interface StreamLog {
  readonly info: (line: string) => void
  readonly warn: (line: string, error: unknown) => void
}
