import { formatTimestamp } from '../definitions/timestamp.ts'
import { BadUserInput } from '../errors.ts'
import { retryQuarantine } from '../ingest/quarantine/retry-quarantine.ts'
import { retryTarget } from '../ingest/quarantine/retry-target.ts'
import { recordedNames } from '../registry/recorded-names.ts'
import type { Registry } from '../registry/registry.ts'
import { suggest } from '../registry/suggest.ts'
import {
  type QuarantineFilter,
  type QuarantineGroup,
  type WayIn,
  waysIn,
} from '../stores/quarantine-store.ts'
import { jsonText } from './json-text.ts'
import { shownText } from './shown-text.ts'
import { textTable } from './text-table.ts'
import { type CommandWorld, withStores } from './with-stores.ts'

export interface QuarantineArguments {
  readonly cameBy?: string
}

const shownGroups = 1_000

/** `featuregraph quarantine list`: counts by name, way in and reason. */
export async function listQuarantine(
  name: string | undefined,
  { json = false, ...asked }: QuarantineArguments & { readonly json?: boolean },
): Promise<void> {
  await withStores('UNUSED', async (world) => {
    const { filter } = await quarantineFilter(world, name, asked)
    const groups = (await world.stores.quarantine.groups(filter, shownGroups)).map(namedBy(world.registry))
    if (json) {
      const quarantine = groups.map((group) => ({ ...group, newestAt: formatTimestamp(group.newestAt) }))
      process.stdout.write(jsonText({ quarantine }))
      return
    }
    const rows = groups.map((group) => [
      group.name,
      group.cameBy,
      String(group.rows),
      formatTimestamp(group.newestAt),
      shownText(group.reason),
    ])
    process.stdout.write(textTable([['SOURCE OR VIEW', 'CAME BY', 'ROWS', 'NEWEST', 'REASON'], ...rows]))
    if (groups.length === shownGroups) process.stderr.write(`only ${shownGroups} reasons are shown\n`)
  })
}

/** `featuregraph quarantine retry`: what fits by today's definitions is stored, and why the others stay. */
export async function retryQuarantined(name: string | undefined, asked: QuarantineArguments): Promise<void> {
  await withStores('UNUSED', async (world) => {
    const { registry, stores, audit, checkTables } = world
    const { filter, names } = await quarantineFilter(world, name, asked)
    await checkTables()
    for (const one of name === undefined ? names : [name]) {
      const target = retryTarget(registry, one)
      if (target === null) {
        process.stdout.write(`${one}: no definition stores its rows today, so they stay\n`)
        continue
      }
      const { accepted, dropped, staying } = await retryQuarantine(stores, target, filter.cameBy)
      if (accepted > 0) audit.done('RETRY_QUARANTINE', one, accepted)
      const stay = [...staying.values()].reduce((sum, count) => sum + count, 0)
      process.stdout.write(`${one}: ${accepted} accepted, ${dropped} dropped, ${stay} stay\n`)
      for (const [reason, count] of staying) process.stdout.write(`  ${count}: ${shownText(reason)}\n`)
      if (accepted > 0 && target.kind === 'ROWS' && target.view.online)
        process.stdout.write(
          `  they go online with the next materialize; now: \`featuregraph materialize ${one}\`\n`,
        )
    }
  })
}

/** What is asked for, and the names that have entries. @throws BadUserInput for a name that is neither defined nor has any. */
export async function quarantineFilter(
  { registry, stores }: CommandWorld,
  name: string | undefined,
  { cameBy }: QuarantineArguments,
): Promise<{ readonly filter: QuarantineFilter; readonly names: readonly string[] }> {
  const { idOf } = recordedNames(registry)
  const filter = { name: name === undefined ? null : idOf(name), cameBy: argumentWay(cameBy) }
  const defined = [...registry.eventSources, ...registry.views].map((one) => one.name)
  if (name !== undefined && defined.includes(name)) return { filter, names: [name] }
  const groups: readonly QuarantineGroup[] = await stores.quarantine.groups(
    { ...filter, name: null },
    shownGroups,
  )
  const names = [...new Set(groups.map(namedBy(registry)).map((group) => group.name))]
  if (name === undefined || names.includes(name)) return { filter, names }
  const known = [...new Set([...defined, ...names])]
  throw new BadUserInput(
    `there is no event source or feature view ${JSON.stringify(name)}; ${suggest(name, known)}`,
  )
}

/** What is recorded under a view's id, by its name of today. */
export function namedBy(
  registry: Registry,
): <Entry extends { readonly name: string }>(entry: Entry) => Entry {
  const { nameOf } = recordedNames(registry)
  return (entry) => ({ ...entry, name: nameOf(entry.name) })
}

function argumentWay(text: string | undefined): WayIn | null {
  if (text === undefined) return null
  const found = waysIn.find((way) => way === text)
  if (found) return found
  throw new BadUserInput(`--came-by expects one of ${waysIn.join(', ')}; ${JSON.stringify(text)} came`)
}
