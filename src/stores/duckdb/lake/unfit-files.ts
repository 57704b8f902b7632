import type { Problem } from '../../../errors.ts'

/** Files that cannot be read as the definition says: each problem names the file and both sides. */
export class UnfitFiles extends Error {
  readonly problems: readonly Problem[]
  constructor(problems: readonly Problem[]) {
    super(problems.map(({ path, message }) => `${path}: ${message}`).join('; '))
    this.problems = problems
  }
}
