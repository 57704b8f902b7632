import { formatTimestamp } from '../definitions/timestamp.ts'
import { neededWork, notRunningMessage, workNotRunning } from '../gateway/background-work.ts'
import type { ServedVersion } from '../registry/versions/served-version.ts'
import type { RunningProcess } from '../stores/process-registry.ts'
import { jsonText } from './json-text.ts'
import { textTable } from './text-table.ts'
import { type CommandWorld, withStores } from './with-stores.ts'

/**
 * `featuregraph processes`: those of the project that reported within the last 20 seconds, which version of the registry each
 * serves, and what none of them runs.
 */
export async function listProcesses({ json = false }: { readonly json?: boolean }): Promise<void> {
  const show = async (
    { config, stores }: Pick<CommandWorld, 'config' | 'stores'>,
    served: ServedVersion | null,
  ): Promise<void> => {
    const running = await stores.processes.running()
    const missing = served === null ? [] : workNotRunning(neededWork(served.registry, config), running)
    if (json) {
      const notRunning = missing.map((one) => ({ ...one, message: notRunningMessage(one) }))
      const registryVersion = served?.version ?? null
      process.stdout.write(jsonText({ registryVersion, processes: running.map(shownProcess), notRunning }))
      return
    }
    process.stdout.write(processTable(running))
    const others = running.filter(({ registryVersion }) => registryVersion !== served?.version)
    if (served !== null && others.length > 0)
      process.stdout.write(
        `\n${others.length} of them do not serve the registry's newest version, ${served.version}\n`,
      )
    for (const one of missing) process.stdout.write(`\n${notRunningMessage(one)}\n`)
  }
  await withStores(
    'UNUSED',
    (world) => show(world, world.served),
    (world) => show(world, null),
  )
}

function processTable(running: readonly RunningProcess[]): string {
  const head = [
    ...['KIND', 'HOST', 'PID', 'RUNS', 'LEADS', 'GUARD', 'PROGRAM', 'REGISTRY', 'DEFINITIONS'],
    ...['STARTED', 'LAST SEEN'],
  ]
  const rows = running.map((one) => [
    one.kind,
    one.host,
    String(one.pid),
    one.runs.join(', ') || '-',
    one.leads.join(', ') || '-',
    one.holdsGuard ? 'holds' : '-',
    one.version,
    String(one.registryVersion ?? '-'),
    one.definitions,
    formatTimestamp(one.startedAt),
    formatTimestamp(one.lastSeenAt),
  ])
  return textTable([head, ...rows])
}

function shownProcess({ startedAt, lastSeenAt, ...process }: RunningProcess) {
  return { ...process, startedAt: formatTimestamp(startedAt), lastSeenAt: formatTimestamp(lastSeenAt) }
}
