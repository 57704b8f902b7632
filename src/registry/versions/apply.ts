import { ApplyRefused } from '../../errors.ts'
import type { TableChanges } from '../../stores/table-changes.ts'
import type { Definition } from '../parse-definitions.ts'
import type { Registry } from '../registry.ts'
import { registryDigest } from '../registry-digest.ts'
import { type Broken, type Change, changesBetween } from './changes.ts'
import {
  type ApplyOptions,
  type ApplyTargets,
  type ChangeStep,
  makeCurrent,
  type Plan,
} from './make-current.ts'
import { nextContent } from './resolve-identities.ts'
import type { ServedVersion } from './served-version.ts'
import { registryOf, type VersionContent } from './version-content.ts'

export { currentVersion } from './current-version.ts'

interface ApplyDefinitionsOptions extends ApplyOptions {
  readonly allowBreaking?: boolean
  /** Only where nothing has been applied yet; else what is current stays. */
  readonly onlyFirst?: boolean
}

/**
 * Makes the definitions the registry's newest version, and before that the tables, columns and indexes that they need, while
 * the version before them is served. Definitions that say what the newest version says change no version, and make what its
 * tables lack. Begun again after any end, it goes on.
 * @throws InvalidDefinitions; TablesDiffer; ApplyRefused when changes break something and are not allowed to, when another
 * process changes the registry, or a table stays in use.
 */
export async function applyDefinitions(
  targets: ApplyTargets,
  definitions: readonly Definition[],
  { allowBreaking = false, onlyFirst = false, ...options }: ApplyDefinitionsOptions,
): Promise<ServedVersion> {
  return await makeCurrent(
    targets,
    {
      kind: 'APPLY',
      async plan(current) {
        if (onlyFirst && current !== null) return { status: 'NOTHING', current }
        const content = nextContent(current?.content ?? null, definitions)
        const changes = changesBetween(current?.content ?? null, content)
        const plan = await planVersion(targets.tables, current, content, changes)
        if (!allowBreaking && plan.status === 'VERSION') refuseBreaking(changes)
        return plan
      },
    },
    options,
  )
}

/** A version of the content, with the steps that it needs. @throws TablesDiffer */
export async function planVersion(
  tables: TableChanges,
  current: ServedVersion | null,
  content: VersionContent,
  changes: readonly Change[],
): Promise<Plan> {
  const registry = registryOf(content)
  const steps = await missingSteps(tables, registry)
  if (current?.digest !== registryDigest(registry))
    return {
      status: 'VERSION',
      content,
      steps,
      changes: changes.map(({ place, text }) => `${place}: ${text}`),
    }
  return steps.length === 0 ? { status: 'NOTHING', current } : { status: 'STEPS', current, steps }
}

async function missingSteps(
  tables: TableChanges,
  { views, eventSources }: Registry,
): Promise<readonly ChangeStep[]> {
  const steps = await tables.missing(views, eventSources)
  return steps.map((step) => ({ what: step.what, make: (report) => tables.make(step, report) }))
}

const broken: Readonly<Record<Broken, string>> = {
  graphql: 'documents of GraphQL clients',
  services: 'a feature service under its name',
  models: 'models trained with it',
  rows: 'stored rows',
}

function refuseBreaking(changes: readonly Change[]): void {
  const breaking = changes.filter(({ breaks }) => breaks.length > 0)
  if (breaking.length === 0) return
  const lines = breaking.map(
    ({ place, text, breaks }) =>
      `  ${place}: ${text} (breaks ${breaks.map((one) => broken[one]).join(', ')})`,
  )
  throw new ApplyRefused(
    `${breaking.length} of the changes break what uses the registry; nothing was changed. To apply them nevertheless add --allow-breaking:\n${lines.join('\n')}`,
  )
}
