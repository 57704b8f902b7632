import { fieldName } from '../definitions/graphql-name.ts'
import { acceptValue } from '../definitions/value.ts'
import type { Problem, Report } from '../errors.ts'
import type { OnDemandParsed } from './parse-definitions.ts'
import type { Entity, Feature, FeatureView, OnDemandInput, OnDemandView, RequestValue } from './registry.ts'
import { requestValue } from './resolve-request.ts'
import { shownHead } from './shown-head.ts'
import { suggest } from './suggest.ts'

interface Known {
  readonly entities: ReadonlyMap<string, Entity>
  readonly views: ReadonlyMap<string, FeatureView>
  /** Names of on-demand views. */
  readonly onDemand: ReadonlySet<string>
  readonly brokenNames: Pick<ReadonlySet<string>, 'has'>
}

/** Null where its entity is not known, which has been reported. References to what did not parse are not reported again. */
export function resolveOnDemandView(
  definition: OnDemandParsed,
  known: Known,
  report: Report,
): OnDemandView | null {
  const place = `feature view ${definition.name}`
  const inputs = definition.inputs.flatMap((item, index): readonly OnDemandInput[] => {
    const path = `${place}.inputs[${index}]`
    if (item.kind === 'request') {
      const request = requestValue(item)
      checkDefault(request, `${path} (request ${item.name})`, report)
      return [{ kind: 'request', name: item.name, request }]
    }
    if (item.role !== undefined)
      report({ path, message: 'an on-demand view is of one entity, in no role; pick without as(…)' })
    const view = known.views.get(item.view)
    if (!view) {
      if (!known.brokenNames.has(item.view)) report(unknownInput(path, item.view, known))
      return []
    }
    return item.features.flatMap((picked): readonly OnDemandInput[] => {
      const feature = view.features.find(({ name }) => name === picked.name)
      const at = `${path} (${view.name}.${picked.name})`
      if (picked.default !== undefined)
        report({ path: at, message: 'an input has no default: the function is given null; leave it out' })
      if (feature) return [{ kind: 'feature', name: picked.as ?? picked.name, view, feature }]
      const names = view.features.map(({ name }) => name)
      const message = `feature view "${view.name}" has no feature "${picked.name}"; ${suggest(picked.name, names)}`
      report({ path: at, message })
      return []
    })
  })
  checkNames(place, inputs, report)
  const entity = entityOf(definition, inputs, known, report)
  if (entity === null) return null
  for (const { kind, name } of inputs)
    if (kind === 'request' && entity.joinKeys.some((key) => key.name === name)) {
      const message = `"${name}" is a join key of entity "${entity.name}"; rename the request value`
      report({ path: `${place}.inputs`, message })
    }
  return {
    kind: 'ON_DEMAND',
    ...shownHead(definition),
    entity,
    inputs: inputs.filter(({ name }, index) => inputs.findIndex((one) => one.name === name) === index),
    features: Object.entries(definition.features).map(([name, options]): Feature => {
      const feature = typeof options === 'string' ? { type: options } : options
      return {
        ...{ name, id: name, columns: [], graphqlName: feature.graphqlName ?? fieldName(name) },
        type: feature.type,
        description: feature.description ?? null,
        unit: feature.unit ?? null,
        default: feature.default ?? null,
        deprecated: feature.deprecated ?? null,
        expectation: null,
      }
    }),
    module: definition.digest.module,
    functionText: definition.digest.text,
  }
}

function unknownInput(path: string, name: string, { views, onDemand }: Known): Problem {
  if (onDemand.has(name))
    return {
      path,
      message: `"${name}" is an on-demand view, which is no input of another; call a function that both share`,
    }
  const message = `there is no feature view "${name}" among the exported definitions; ${suggest(name, [...views.keys()])}`
  return { path, message }
}

/** Where the caller sends none the function is given the default. */
function checkDefault({ type, default: byDefault, optional }: RequestValue, path: string, report: Report) {
  const outcome = acceptValue(type, byDefault)
  if (optional && !outcome.ok)
    report({ path, message: `a default of ${outcome.expected} was expected, ${byDefault} came` })
}

function checkNames(place: string, inputs: readonly OnDemandInput[], report: Report): void {
  const seen = new Set<string>()
  for (const { kind, name } of inputs) {
    if (seen.has(name)) {
      const remedy =
        kind === 'request' ? 'rename the request value' : `pick it as { name: '${name}', as: 'another_name' }`
      report({ path: `${place}.inputs`, message: `two inputs are named "${name}"; ${remedy}` })
    }
    seen.add(name)
  }
}

function entityOf(
  { name, entity: named, inputs: declared }: OnDemandParsed,
  inputs: readonly OnDemandInput[],
  { entities, brokenNames }: Known,
  report: Report,
): Entity | null {
  const path = `feature view ${name}.entity`
  const picked = new Set(inputs.flatMap((input) => (input.kind === 'feature' ? [input.view.entity] : [])))
  const own = named === undefined ? null : (entities.get(named) ?? null)
  if (named !== undefined && own === null && !brokenNames.has(named)) {
    const hint = suggest(named, [...entities.keys()])
    report({ path, message: `there is no entity "${named}" among the exported definitions; ${hint}` })
  }
  const all = new Set([...(own === null ? [] : [own]), ...picked])
  if (all.size > 1) {
    const names = [...all].map((one) => `"${one.name}"`).join(' and ')
    const message = `an on-demand view is of one entity, its inputs are of ${names}; make one for each`
    report({ path: `feature view ${name}.inputs`, message })
  }
  const [entity = null] = all
  if (entity === null && named === undefined && declared.every(({ kind }) => kind === 'request'))
    report({
      path,
      message: 'without a picked feature it is not known whose features these are; name the entity',
    })
  return entity
}
