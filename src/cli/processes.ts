import { formatTimestamp } from '../definitions/timestamp.ts'
import { neededWork, notRunningMessage, workNotRunning } from '../gateway/background-work.ts'
import { registryDigest } from '../registry/registry-digest.ts'
import type { RunningProcess } from '../stores/process-registry.ts'
import { jsonText } from './json-text.ts'
import { textTable } from './text-table.ts'
import { withStores } from './with-stores.ts'

/** `featuregraph processes`: those of the project that reported within the last 20 seconds, and what none of them runs. */
export async function listProcesses({ json = false }: { readonly json?: boolean }): Promise<void> {
  await withStores('UNUSED', async ({ config, registry, stores }) => {
    const running = await stores.processes.running()
    const missing = workNotRunning(neededWork(registry, config), running)
    if (json) {
      const notRunning = missing.map((one) => ({ ...one, message: notRunningMessage(one) }))
      process.stdout.write(jsonText({ processes: running.map(shownProcess), notRunning }))
      return
    }
    const head = [
      'KIND',
      'HOST',
      'PID',
      'RUNS',
      'LEADS',
      'GUARD',
      'VERSION',
      'DEFINITIONS',
      'STARTED',
      'LAST SEEN',
    ]
    const rows = running.map((one) => [
      one.kind,
      one.host,
      String(one.pid),
      one.runs.join(', ') || '-',
      one.leads.join(', ') || '-',
      one.holdsGuard ? 'holds' : '-',
      one.version,
      one.definitions,
      formatTimestamp(one.startedAt),
      formatTimestamp(one.lastSeenAt),
    ])
    process.stdout.write(textTable([head, ...rows]))
    const own = registryDigest(registry)
    const others = running.filter(({ definitions }) => definitions !== own)
    if (others.length > 0)
      process.stdout.write(
        `\n${others.length} of them started with other definitions than those in ${config.schemaFolder} (${own})\n`,
      )
    for (const one of missing) process.stdout.write(`\n${notRunningMessage(one)}\n`)
  })
}

function shownProcess({ startedAt, lastSeenAt, ...process }: RunningProcess) {
  return { ...process, startedAt: formatTimestamp(startedAt), lastSeenAt: formatTimestamp(lastSeenAt) }
}
