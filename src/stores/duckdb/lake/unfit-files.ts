import type { Problem } from '../../../errors.ts'

/** Files that cannot be read as the definition says: each problem names the file and both sides. Lasting: until they are changed. */
export class UnfitFiles extends Error {
  readonly problems: readonly Problem[]
  readonly isLasting: boolean
  constructor(problems: readonly Problem[], isLasting = true) {
    super(problems.map(({ path, message }) => `${path}: ${message}`).join('; '))
    this.problems = problems
    this.isLasting = isLasting
  }
}
