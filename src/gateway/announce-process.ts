import { hostname } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Logger } from 'pino'
import { messageOf, StoreFailed } from '../errors.ts'
import type { ServedVersion } from '../registry/versions/served-version.ts'
import type { LeaderLock } from '../stores/leader-lock.ts'
import type { BackgroundWork, ProcessKind, RunningProcess } from '../stores/process-registry.ts'
import type { Stores } from './open-stores.ts'
import { programVersion } from './program-version.ts'

export interface AnnounceOptions {
  readonly kind: ProcessKind
  readonly runs: readonly BackgroundWork[]
  /** Asked at each report. */
  readonly served: () => Pick<ServedVersion, 'digest' | 'version'>
  readonly log: Pick<Logger, 'info' | 'warn'>
  /** Called with the processes of each report, once the first is made. */
  readonly onReport?: (running: readonly RunningProcess[]) => void
}

/** This process among those of its project. */
export interface AnnouncedProcess {
  /** All of them, as of the last report. */
  readonly running: () => readonly RunningProcess[]
  /** The same stores; locks that this process gets are reported, and the log says for which process it waits. */
  readonly stores: Stores
  /** A part of the process has ended before the whole, or goes on again. */
  readonly ended: (work: BackgroundWork) => void
  readonly goesOn: (work: BackgroundWork) => void
  /** Leaves the list. Never rejects. */
  readonly leave: () => Promise<void>
}

type LedWork = Extract<BackgroundWork, 'worker' | 'stream'>

const reportEveryMs = 5_000

/** `the worker with pid 4711 on host-a` */
export function describeProcess({ kind, pid, host }: Pick<RunningProcess, 'kind' | 'pid' | 'host'>): string {
  return `the ${kind} with pid ${pid} on ${host}`
}

/**
 * Reports the process at once and every 5 seconds, until it leaves. A database that does not answer is logged once and
 * tried again: nothing depends on the reports but what operators are shown.
 */
export async function announceProcess(stores: Stores, options: AnnounceOptions): Promise<AnnouncedProcess> {
  const { processes, processId: id } = stores
  const { kind, served, log, onReport } = options
  const own = { id, kind, version: programVersion() }
  const runs = new Set(options.runs)
  const leads = new Set<BackgroundWork>()
  const leaving = new AbortController()
  let known: readonly RunningProcess[] = []
  let isFailing = false

  async function report(): Promise<void> {
    const { digest, version } = served()
    try {
      await processes.report({
        ...{ ...own, definitions: digest, registryVersion: version },
        ...{ runs: [...runs], leads: [...leads], host: hostname(), pid: process.pid },
      })
      known = await processes.running()
      isFailing = false
    } catch (error) {
      if (!(error instanceof StoreFailed)) throw error
      if (!isFailing) log.warn({ err: error }, `this process is not listed: ${messageOf(error)}`)
      isFailing = true
      return
    }
    onReport?.(known)
  }

  async function goOn(): Promise<void> {
    for (;;) {
      await sleep(reportEveryMs, undefined, { signal: leaving.signal, ref: false }).catch(() => {})
      if (leaving.signal.aborted) return
      await report()
    }
  }

  function reporting(lock: LeaderLock, work: LedWork): LeaderLock {
    let waitsFor = ''
    const note = async (holds: boolean): Promise<void> => {
      if (holds) waitsFor = ''
      if (leads.has(work) === holds) return
      if (holds) leads.add(work)
      else leads.delete(work)
      if (!leaving.signal.aborted) await report()
    }
    return {
      async hold() {
        const holds = await lock.hold().catch((error: unknown) => {
          leads.delete(work)
          throw error
        })
        await note(holds)
        if (holds) return true
        known = await processes.running().catch(() => known)
        const leader = known
          .filter((one) => one.leads.includes(work))
          .toSorted((left, right) => right.lastSeenAt - left.lastSeenAt)[0]
        const shown = leader ? describeProcess(leader) : ''
        if (shown !== '' && shown !== waitsFor) log.info(`waiting for ${shown}, which ${doing[work]}`)
        waitsFor = shown
        return false
      },
      async release() {
        await lock.release()
        await note(false)
      },
    }
  }

  await report()
  const going = goOn()
  return {
    running: () => known,
    stores: {
      ...stores,
      workerLock: reporting(stores.workerLock, 'worker'),
      streamLock: reporting(stores.streamLock, 'stream'),
    },
    ended(work) {
      runs.delete(work)
    },
    goesOn(work) {
      runs.add(work)
    },
    async leave() {
      leaving.abort()
      await going
      await processes.leave(id).catch(() => {})
    },
  }
}

const doing: Readonly<Record<LedWork, string>> = {
  worker: "is the project's worker",
  stream: 'applies events to the streaming views',
}
