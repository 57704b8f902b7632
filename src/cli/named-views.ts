import { BadUserInput } from '../errors.ts'
import type { FeatureView, Registry } from '../registry/registry.ts'
import { suggest } from '../registry/suggest.ts'

/** @throws BadUserInput naming every unknown one, with what may have been meant. */
export function namedViews(registry: Registry, names: readonly string[]): readonly FeatureView[] {
  const known = registry.views.map((view) => view.name)
  const problems = names
    .filter((name) => !known.includes(name))
    .map((name) =>
      registry.onDemandViews.some((view) => view.name === name)
        ? `feature view ${JSON.stringify(name)} is computed when it is asked for; nothing is stored of it`
        : `there is no feature view ${JSON.stringify(name)}; ${suggest(name, known)}`,
    )
  if (problems.length > 0) throw new BadUserInput(problems.join('\n'))
  return registry.views.filter((view) => names.includes(view.name))
}
