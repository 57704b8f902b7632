import { formatTimestamp } from '../definitions/timestamp.ts'
import type { AppliedVersion, BegunApply, VersionStore } from '../stores/version-store.ts'
import { jsonText } from './json-text.ts'
import { shownText } from './shown-text.ts'
import { shownBegun, shownVersion } from './shown-version.ts'
import { textTable } from './text-table.ts'
import { withRegistry } from './with-registry.ts'

const page = 1_000

/** `featuregraph history`: newest first, above them the change that was begun and has not ended. */
export async function history({ json = false }: { readonly json?: boolean }): Promise<void> {
  await withRegistry(async ({ config, targets: { versions } }) => {
    const begun = await versions.begun()
    const applied = await allVersions(versions)
    process.stdout.write(
      json
        ? jsonText({ begun: begun && shownBegun(begun), versions: applied.map(shownVersion) })
        : historyText(begun, applied, config.project),
    )
  })
}

async function allVersions(versions: Pick<VersionStore, 'list'>): Promise<readonly AppliedVersion[]> {
  const all: AppliedVersion[] = []
  for (;;) {
    const next = await versions.list(all.at(-1)?.version ?? null, page)
    all.push(...next)
    if (next.length < page) return all
  }
}

export function historyText(
  begun: BegunApply | null,
  versions: readonly AppliedVersion[],
  project: string,
): string {
  if (begun === null && versions.length === 0)
    return `no version has been applied to project "${project}" yet; \`featuregraph apply\` applies the first\n`
  const rows = versions.map((one) => [
    String(one.version),
    formatTimestamp(one.appliedAt),
    shownText(one.appliedBy),
    String(one.changes.length),
    shownText(one.message ?? ''),
  ])
  const top =
    begun === null
      ? []
      : [['begun', formatTimestamp(begun.begunAt), shownText(begun.by), '-', begunText(begun)]]
  return textTable([['VERSION', 'WHEN', 'WHO', 'CHANGES', 'MESSAGE'], ...top, ...rows])
}

const finishing: Readonly<Record<BegunApply['kind'], string>> = {
  APPLY: '`featuregraph apply` finishes it',
  ROLLBACK: 'the same `featuregraph rollback` finishes it',
  PRUNE: '`featuregraph prune` finishes it',
}

function begunText({ kind, base, message, done, isHeld }: BegunApply): string {
  const what = `${kind.toLowerCase()} from version ${base}, ${done.length} steps done`
  const why = message === null ? '' : `, ${shownText(message)}`
  return `${what}${why}; ${isHeld ? 'under way' : `its process is gone: ${finishing[kind]}`}`
}
