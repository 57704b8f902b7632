import { prune, type Retirement, retirementOf } from '../registry/versions/prune.ts'
import { appliedText } from './applied-text.ts'
import { jsonText } from './json-text.ts'
import { textTable } from './text-table.ts'
import { withRegistry } from './with-registry.ts'

interface PruneArguments {
  readonly dryRun?: boolean
  readonly yes?: boolean
  readonly message?: string
  readonly json?: boolean
}

/** `featuregraph prune`: shows what would be dropped, and drops it with `--yes` only; exit code 1 where that is missing. */
export async function pruneRetired({
  dryRun = false,
  yes = false,
  message,
  json = false,
}: PruneArguments): Promise<void> {
  await withRegistry(async ({ targets, options, audit }) => {
    const found = await retirementOf(targets)
    if (found !== null && (dryRun || !yes)) {
      process.stdout.write(json ? jsonText(shownRetirement(found)) : retirementText(found))
      if (dryRun) return
      process.stderr.write('nothing was dropped: it cannot be undone; run `featuregraph prune --yes`\n')
      process.exitCode = 1
      return
    }
    const after = found === null || dryRun ? null : await prune(targets, options(message))
    if (after !== null && found !== null) {
      audit('PRUNE', after.version)
      process.stdout.write(await appliedText(targets, { before: found.version, after, json }))
      return
    }
    process.stdout.write(json ? jsonText({ parts: [] }) : 'nothing to prune: all that is stored is defined\n')
  })
}

function shownRetirement({ version, entities, views, parts }: Retirement) {
  return {
    ...{ version, entities, views },
    parts: parts.map(({ what, owner, count, counted }) => ({ what, owner, count, counted })),
  }
}

/** What is dropped, by where it stands, with its amount. */
export function retirementText({ version, entities, views, parts }: Retirement): string {
  const rows = parts.map(({ what, owner, count, counted }) => [what, owner, `${count} ${counted}`])
  const bare = [
    ...entities.map((id) => ['-', `removed entity "${id}"`, '-']),
    ...views
      .filter((id) => !parts.some(({ owner }) => owner === `removed feature view "${id}"`))
      .map((id) => ['-', `removed feature view "${id}"`, '-']),
  ]
  return `retired in version ${version}:\n\n${textTable([['WHAT', 'OF', 'HOLDS'], ...rows, ...bare])}`
}
