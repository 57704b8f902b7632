/** Fronts of online keys that are written no more, until their rows are removed. Rejects with `StoreFailed`. */
export interface OnlineLeftovers {
  /** Of so long ago at least that nothing reads or writes them. */
  readonly list: () => Promise<readonly string[]>
  readonly forget: (prefix: string) => Promise<void>
}
