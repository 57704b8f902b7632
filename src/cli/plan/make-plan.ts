import type { Definition } from '../../registry/parse-definitions.ts'
import { currentVersion } from '../../registry/versions/apply.ts'
import { estimateAll } from '../../registry/versions/estimate.ts'
import { recomputationsBetween } from '../../registry/versions/recomputations.ts'
import { nextContent } from '../../registry/versions/resolve-identities.ts'
import type { ServedVersion } from '../../registry/versions/served-version.ts'
import { registryOf } from '../../registry/versions/version-content.ts'
import type { VersionStore } from '../../stores/version-store.ts'
import type { OpenVersions } from '../open-versions.ts'
import { compareVersions } from './compare-versions.ts'
import type { BegunChange, Plan } from './plan-text.ts'
import { versionNamed } from './version-named.ts'

interface PlanQuestion {
  readonly folder: string
  readonly against: string | undefined
}

/**
 * How the definitions of a folder stand to a version of the registry, `against` or the newest.
 * @throws InvalidDefinitions where they cannot follow it; BadUserInput for a version that is not there.
 */
export async function makePlan(
  definitions: readonly Definition[],
  { folder, against }: PlanQuestion,
  { versions, estimates: stores, called }: OpenVersions,
): Promise<Plan> {
  const base: ServedVersion | null =
    against === undefined
      ? await currentVersion(versions)
      : await versionNamed(versions, against, '--against')
  const content = nextContent(base?.content ?? null, definitions)
  const comparison = await compareVersions(base?.content ?? null, content)
  const again = base === null ? [] : recomputationsBetween(base.registry, registryOf(content))
  return {
    ...comparison,
    ...{ version: base?.version ?? 0, called, folder },
    estimates: stores === null ? null : await estimateAll(again, stores),
    begun: await begunOf(versions),
  }
}

/** A file has none. */
async function begunOf(
  versions: VersionStore & { readonly begun?: () => Promise<BegunChange | null> },
): Promise<BegunChange | null> {
  return (await versions.begun?.()) ?? null
}
