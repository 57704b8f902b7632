import type { Report } from '../errors.ts'
import { javascriptNames } from './reserved-names.ts'

/**
 * Names of one scope (the fields of a type, the root fields, the types), each with the path that took it.
 * A second taker, a reserved name, a JavaScript name or a double underscore is a problem.
 */
export interface NameTable {
  /** `option` is what sets another name. */
  readonly take: (name: string, path: string, option?: string) => void
}

export function nameTable(scope: string, reserved: ReadonlySet<string>, report: Report): NameTable {
  const takers = new Map<string, string>()
  return {
    take(name, path, option = 'graphqlName') {
      const remedy = `set ${option} to another name`
      const taker = takers.get(name)
      if (name.startsWith('__')) {
        report({
          path,
          message: `GraphQL keeps names with __ at the front for itself, "${name}" came; ${remedy}`,
        })
      } else if (javascriptNames.has(name)) {
        report({ path, message: `"${name}" means something to JavaScript objects; rename it or ${remedy}` })
      } else if (reserved.has(name)) {
        report({ path, message: `"${name}" is a reserved name among ${scope}; ${remedy}` })
      } else if (taker !== undefined) {
        report({
          path,
          message: `"${name}" is taken among ${scope} by ${taker}; rename one of them or ${remedy}`,
        })
      } else {
        takers.set(name, path)
      }
    },
  }
}
