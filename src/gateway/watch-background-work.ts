import type { Logger } from 'pino'
import type { Config } from '../config/config.ts'
import { formatTimestamp } from '../definitions/timestamp.ts'
import type { Registry } from '../registry/registry.ts'
import type { BackgroundWork, RunningProcess } from '../stores/process-registry.ts'
import { describeProcess } from './announce-process.ts'
import { type NeededWork, neededWork, notRunningMessage, workNotRunning } from './background-work.ts'

/** What a gateway reports of the background work of its project. */
interface WatchedWork {
  /** What this process runs by the settings, and the definitions have use for. */
  readonly runs: readonly BackgroundWork[]
  /** Logs what runs here, and what must run elsewhere with the commands. To be called after the first report. */
  readonly logStart: () => void
  readonly onReport: (running: readonly RunningProcess[]) => void
  /** For `/readyz`: no host and no process id, since anyone may ask there. */
  readonly state: () => object
}

/** By the registry as it is when that is asked for. Remembers the last report of processes. Work that ends or starts to run elsewhere gets one log line. */
export function watchBackgroundWork(
  registry: () => Registry,
  config: Pick<Config, 'worker' | 'demo' | 'streamUrl'>,
  log: Pick<Logger, 'info' | 'warn'>,
): WatchedWork {
  const neededNow = () => neededWork(registry(), config)
  const runs: readonly BackgroundWork[] = [
    ...(config.worker ? (['worker', 'stream'] as const) : []),
    ...(config.demo ? (['demo'] as const) : []),
  ]
  let running: readonly RunningProcess[] = []
  let missing: ReadonlySet<NeededWork['work']> | null = null

  function logStart(): void {
    const needed = neededNow()
    const here = runs.map((work) => `the ${work}`).join(', ')
    log.info(
      `this process answers requests${here === '' ? ' and runs no background work' : ` and runs ${here}`}; it takes its turn in keeping the online store's guard`,
    )
    for (const one of needed) {
      if (runs.includes(one.work)) continue
      const others = running.filter((process) => process.runs.includes(one.work))
      const elsewhere = `\`${one.command}\` must run elsewhere: it ${one.does}`
      if (others.length > 0) log.info(`${elsewhere}; there is ${others.map(describeProcess).join(', ')}`)
      else log.warn(`${elsewhere}; no process does so now`)
    }
    missing = new Set(workNotRunning(needed, running).map(({ work }) => work))
  }

  return {
    runs,
    logStart,
    onReport(reported) {
      running = reported
      if (missing === null) return
      const needed = neededNow()
      const lacking = workNotRunning(needed, running)
      for (const one of lacking) if (!missing.has(one.work)) log.warn(notRunningMessage(one))
      for (const one of needed)
        if (missing.has(one.work) && !lacking.includes(one))
          log.info(`\`${one.command}\` runs now: it ${one.does}`)
      missing = new Set(lacking.map(({ work }) => work))
    },
    state() {
      // Until the first report nothing is known, not even this process.
      if (running.length === 0) return {}
      const lacking = workNotRunning(neededNow(), running)
      return {
        processes: running.map(({ kind, runs: own, version, definitions, registryVersion, lastSeenAt }) => ({
          ...{ kind, runs: own, version, definitions, registryVersion },
          lastSeenAt: formatTimestamp(lastSeenAt),
        })),
        ...(lacking.length === 0
          ? {}
          : {
              notRunning: lacking.map((one) => ({
                ...{ work: one.work, command: one.command, views: one.views, sources: one.sources },
                message: notRunningMessage(one),
              })),
            }),
      }
    },
  }
}
