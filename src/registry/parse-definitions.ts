import type { z } from 'zod'
import { entityDefinition } from '../definitions/entity.ts'
import { eventSourceDefinition } from '../definitions/event-source.ts'
import { featureServiceDefinition } from '../definitions/feature-service.ts'
import { featureViewDefinition } from '../definitions/feature-view.ts'
import { type ComputeDigest, onDemandViewDefinition } from '../definitions/on-demand-view.ts'
import { windowedViewDefinition } from '../definitions/windowed-view.ts'
import type { Problem, Report } from '../errors.ts'
import type { BrokenDefinition } from './check-broken.ts'
import { computeDigest } from './compute-digest.ts'
import { suggest } from './suggest.ts'

const schemas = {
  entity: entityDefinition,
  'event-source': eventSourceDefinition,
  'feature-view': featureViewDefinition,
  'windowed-view': windowedViewDefinition,
  'on-demand-view': onDemandViewDefinition,
  'feature-service': featureServiceDefinition,
} as const

type Kind = keyof typeof schemas

/** What a definition is called in messages; views of all kinds share their names. */
const called: Readonly<Record<Kind, string>> = {
  entity: 'entity',
  'event-source': 'event source',
  'feature-view': 'feature view',
  'windowed-view': 'feature view',
  'on-demand-view': 'feature view',
  'feature-service': 'feature service',
}

export type EntityParsed = z.output<typeof entityDefinition>
export type EventSourceParsed = z.output<typeof eventSourceDefinition>
export type WindowedViewParsed = z.output<typeof windowedViewDefinition>
export type ViewParsed = z.output<typeof featureViewDefinition>
export type OnDemandParsed = Omit<z.output<typeof onDemandViewDefinition>, 'compute'> & {
  readonly digest: ComputeDigest
}
export type ServiceParsed = z.output<typeof featureServiceDefinition>

/** A value that a definition file exports, and where, as `schema/fraud.ts: customer`. */
export interface Definition {
  readonly path: string
  readonly value: unknown
  /** Of the file, where it has functions: `module-digest.ts`. */
  readonly module?: string
}

interface Parsed {
  readonly entities: readonly EntityParsed[]
  readonly eventSources: readonly EventSourceParsed[]
  readonly views: readonly (ViewParsed | WindowedViewParsed)[]
  readonly onDemandViews: readonly OnDemandParsed[]
  readonly services: readonly ServiceParsed[]
  /** Names of definitions that did not parse: a reference to one is not a second problem. */
  readonly brokenNames: ReadonlySet<string>
  /** Those themselves. */
  readonly broken: readonly BrokenDefinition[]
  /** Where each definition stands, by what messages call it, as `entity customer`. */
  readonly paths: ReadonlyMap<string, string>
}

/** Each definition by itself, by its zod schema; exports that are no definitions are passed over. */
export function parseDefinitions(definitions: readonly Definition[], report: Report): Parsed {
  const entities: EntityParsed[] = []
  const eventSources: EventSourceParsed[] = []
  const views: (ViewParsed | WindowedViewParsed)[] = []
  const onDemandViews: OnDemandParsed[] = []
  const services: ServiceParsed[] = []
  const brokenNames = new Set<string>()
  const broken: BrokenDefinition[] = []
  const firstPaths = new Map<string, string>()
  for (const { path, value, module } of definitions) {
    const kind = kindOf(value)
    if (kind === null) continue
    const { pick: _pick, as: _as, ...data } = value as Record<string, unknown>
    const name = typeof data['name'] === 'string' ? data['name'] : '?'
    const place = `${called[kind]} ${name}`
    const outcome = schemas[kind].safeParse(data)
    const problems = [...droppedNames(data), ...(outcome.success ? [] : issuesOf(kind, outcome.error))]
    for (const problem of problems)
      report({ path: `${place}${problem.path} (${path})`, message: problem.message })
    if (!outcome.success || problems.length > 0) {
      brokenNames.add(name)
      broken.push({ place, data })
      if (!firstPaths.has(place)) firstPaths.set(place, path)
      continue
    }
    const first = firstPaths.get(place)
    if (first !== undefined) {
      report({
        path: `${place} (${path})`,
        message: `the name "${name}" is taken by ${first}; rename one of them`,
      })
      continue
    }
    firstPaths.set(place, path)
    const definition = outcome.data
    switch (definition.kind) {
      case 'entity':
        entities.push(definition)
        break
      case 'event-source':
        eventSources.push(definition)
        break
      case 'feature-view':
      case 'windowed-view':
        views.push(definition)
        break
      case 'on-demand-view': {
        const { compute, ...rest } = definition
        onDemandViews.push({ ...rest, digest: computeDigest(compute, module) })
        break
      }
      case 'feature-service':
        services.push(definition)
    }
  }
  return { entities, eventSources, views, onDemandViews, services, brokenNames, broken, paths: firstPaths }
}

function kindOf(value: unknown): Kind | null {
  if (typeof value !== 'object' || value === null || !('kind' in value)) return null
  const kind = value.kind
  return typeof kind === 'string' && Object.hasOwn(schemas, kind) ? (kind as Kind) : null
}

/** zod leaves an own key `__proto__` out of a record without a word. */
function droppedNames(data: Readonly<Record<string, unknown>>): Problem[] {
  return Object.entries(data)
    .filter(([, names]) => typeof names === 'object' && names !== null && Object.hasOwn(names, '__proto__'))
    .map(([field]) => ({
      path: `.${field}.__proto__`,
      message: '"__proto__" means something to JavaScript objects; rename it',
    }))
}

function issuesOf(kind: Kind, error: z.ZodError): Problem[] {
  return error.issues.flatMap(withinUnion).flatMap((issue) => {
    const path = issue.path
      .map((part) => (typeof part === 'number' ? `[${part}]` : `.${String(part)}`))
      .join('')
    // A record's bad key carries the rule's own words inside.
    if (issue.code === 'invalid_key') return issue.issues.map((inner) => ({ path, message: inner.message }))
    if (issue.code === 'unrecognized_keys') {
      const options =
        issue.path.length === 0 ? Object.keys(schemas[kind].shape).filter((name) => name !== 'kind') : []
      return issue.keys.map((key) => ({
        path,
        message: `there is no option "${key}"${options.length === 0 ? '' : `; ${suggest(key, options)}`}`,
      }))
    }
    return [{ path, message: issue.message }]
  })
}

/** Of a union, the problems of the branch that the input meant: the one that found them inside it. */
function withinUnion(issue: z.core.$ZodIssue): readonly z.core.$ZodIssue[] {
  if (issue.code !== 'invalid_union') return [issue]
  const meant = issue.errors.find((branch) =>
    branch.every(
      (inner) => inner.path.length > 0 || inner.code === 'unrecognized_keys' || inner.code === 'custom',
    ),
  )
  if (!meant || meant.length === 0) return [issue]
  return meant.map((inner) => ({ ...inner, path: [...issue.path, ...inner.path] })).flatMap(withinUnion)
}
