/** What stands where the type needs something else. */
export class Unfit {
  readonly expected: string
  /** What it may be, and what to do then; empty: nothing is known. */
  readonly hint: string
  constructor(expected: string, hint = '') {
    this.expected = expected
    this.hint = hint
  }
}
