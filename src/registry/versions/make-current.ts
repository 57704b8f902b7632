import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { formatTimestamp } from '../../definitions/timestamp.ts'
import { ApplyRefused } from '../../errors.ts'
import { type ApplyLease, applyLeaseMs } from '../../stores/apply-lease.ts'
import type { TableChanges } from '../../stores/table-changes.ts'
import type { BegunApply, VersionStore } from '../../stores/version-store.ts'
import { registryDigest } from '../registry-digest.ts'
import { changedDefinitions, changedInVersion } from './changed-definitions.ts'
import { currentVersion } from './current-version.ts'
import type { ServedVersion } from './served-version.ts'
import { encodeContent, formatOf, registryOf, type VersionContent } from './version-content.ts'

export interface ApplyTargets {
  readonly versions: VersionStore
  readonly applies: ApplyLease
  readonly tables: TableChanges
}

export interface ApplyOptions {
  /** Who applies them. */
  readonly by: string
  readonly message: string | null
  /** Version of this program. */
  readonly program: string
  /** Called with what is done and waited for, a line each. */
  readonly report?: (line: string) => void
}

/** What one process does at a time to a project's registry. */
export interface RegistryChange {
  readonly kind: BegunApply['kind']
  /** Changes nothing itself; what it throws refuses the change. */
  readonly plan: (current: ServedVersion | null) => Promise<Plan>
}

/** NOTHING: the version that is current says it all. STEPS: it stays, and its tables get what they lack. */
export type Plan =
  | { readonly status: 'NOTHING'; readonly current: ServedVersion }
  | { readonly status: 'STEPS'; readonly current: ServedVersion; readonly steps: readonly ChangeStep[] }
  | ({ readonly status: 'VERSION' } & PlannedVersion)

interface PlannedVersion {
  readonly content: VersionContent
  /** What the version changes, a line each. */
  readonly changes: readonly string[]
  /** Each can be done again. */
  readonly steps: readonly ChangeStep[]
}

export interface ChangeStep {
  readonly what: string
  readonly make: (report: (line: string) => void) => Promise<void>
}

type Report = (line: string) => void

const pollMs = 250

/**
 * Plans the change from the version that is current, does its steps under the lease, each recorded when it is done, and makes
 * its version current. Whatever ends it before that leaves the version that was current; the same change again goes on with
 * what was begun, another one takes its place once its lease has ended. While another process does the same change, this one
 * waits. Answers the version that is current then.
 * @throws ApplyRefused when another process changes the registry; what planning and the steps throw.
 */
export async function makeCurrent(
  targets: ApplyTargets,
  change: RegistryChange,
  { by, message, program, report = () => {} }: ApplyOptions,
): Promise<ServedVersion> {
  const { versions, applies } = targets
  const holder = randomUUID()
  for (;;) {
    const current = await currentVersion(versions)
    const plan = await change.plan(current)
    if (plan.status === 'NOTHING') return plan.current
    const next = plan.status === 'STEPS' ? plan.current : nextVersion(current, plan.content)
    const { digest, content } = next
    const begin = {
      ...{ kind: change.kind, base: current?.version ?? 0, digest, format: formatOf(content) },
      ...{ content: encodeContent(content), by, message },
    }
    const outcome = await applies.begin(begin, holder)
    if (outcome.status === 'MOVED') continue
    if (outcome.status === 'BUSY') {
      const { begun } = outcome
      if (!isSame(begun, begin)) throw refusedFor(begun)
      report(`waiting for ${describeBegun(begun)}, which is the same change`)
      while ((await versions.begun())?.isHeld) await sleep(pollMs)
      continue
    }
    const version =
      plan.status === 'STEPS'
        ? null
        : {
            ...{ version: next.version, digest, format: begin.format, content: begin.content },
            ...{ changedIn: next.changedIn, changes: plan.changes },
            ...{ appliedBy: by, message: outcome.message, program },
          }
    await underLease(applies, holder, async (isHeld) => {
      await makeSteps(applies, holder, plan.steps, { report, isHeld })
      if (!(await applies.finish(holder, version)))
        throw takenOver(`version ${next.version} was not made current`)
    })
    return next
  }
}

function nextVersion(current: ServedVersion | null, content: VersionContent): ServedVersion {
  const registry = registryOf(content)
  const version = (current?.version ?? 0) + 1
  const changed = changedDefinitions(current?.content.definitions ?? [], content.definitions)
  const changedIn = changedInVersion(current?.changedIn ?? {}, content.definitions, changed, version)
  return { version, digest: registryDigest(registry), registry, content, changedIn }
}

async function underLease(
  applies: ApplyLease,
  holder: string,
  work: (isHeld: () => boolean) => Promise<void>,
): Promise<void> {
  let held = true
  let renewing: Promise<void> = Promise.resolve()
  const timer = setInterval(() => {
    // A failure to renew shows with the next step.
    renewing = applies.renew(holder, null).then(
      (isOurs) => {
        held = isOurs
      },
      () => {},
    )
  }, applyLeaseMs / 4)
  try {
    await work(() => held)
  } catch (error) {
    await applies.release(holder).catch(() => {})
    throw error
  } finally {
    clearInterval(timer)
    await renewing
  }
}

async function makeSteps(
  applies: ApplyLease,
  holder: string,
  steps: readonly ChangeStep[],
  { report, isHeld }: { readonly report: Report; readonly isHeld: () => boolean },
): Promise<void> {
  for (const { what, make } of steps) {
    if (!isHeld()) throw takenOver(`${what} was not changed`)
    await make(report)
    report(what)
    if (!(await applies.renew(holder, what))) throw takenOver('nothing was made current')
  }
}

function takenOver(consequence: string): ApplyRefused {
  return new ApplyRefused(
    `another process has changed the registry meanwhile; ${consequence}. See what it did with \`featuregraph history\`, then run this again`,
  )
}

function isSame(
  begun: BegunApply,
  { kind, base, digest }: Pick<BegunApply, 'kind' | 'base' | 'digest'>,
): boolean {
  return begun.kind === kind && begun.base === base && begun.digest === digest
}

const doing: Readonly<Record<BegunApply['kind'], string>> = {
  APPLY: 'an apply',
  ROLLBACK: 'a rollback',
  PRUNE: 'a prune',
}

/** `an apply of ann@laptop, begun at 2026-01-31T09:30:00Z` */
function describeBegun({ kind, by, begunAt }: BegunApply): string {
  return `${doing[kind]} of ${by}, begun at ${formatTimestamp(begunAt)}`
}

function refusedFor(begun: BegunApply): ApplyRefused {
  const why = begun.message === null ? '' : ` (${begun.message})`
  return new ApplyRefused(
    `${describeBegun(begun)}${why}, is under way; wait for its end, look at what it changed with \`featuregraph plan\`, then run this again. A process that is gone holds the registry for ${applyLeaseMs / 1_000} s at most`,
  )
}
