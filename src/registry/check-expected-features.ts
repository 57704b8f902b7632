import type { Report } from '../errors.ts'
import type { ViewParsed, WindowedViewParsed } from './parse-definitions.ts'
import { suggest } from './suggest.ts'

/** A view's expectations name its features, and none that has its own. */
export function checkExpectedFeatures(definition: ViewParsed | WindowedViewParsed, report: Report): void {
  const names = Object.keys(definition.features)
  for (const name of Object.keys(definition.expect)) {
    const path = `feature view ${definition.name}.expect.${name}`
    const feature = definition.features[name]
    if (feature === undefined) {
      report({
        path,
        message: `feature view "${definition.name}" has no feature "${name}"; ${suggest(name, names)}`,
      })
    } else if (typeof feature !== 'string' && feature.expect !== undefined) {
      report({ path, message: `feature "${name}" has an expectation of its own; keep one of the two` })
    }
  }
}
