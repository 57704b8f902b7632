import { setTimeout as sleep } from 'node:timers/promises'
import type { Logger } from 'pino'
import { messageOf, RegistryUnreadable, StoreFailed } from '../errors.ts'
import { atMostEvery } from '../rate-limit.ts'
import { type ServedVersion, servedVersion } from '../registry/versions/served-version.ts'
import type { VersionNews } from '../stores/version-news.ts'
import type { VersionStore } from '../stores/version-store.ts'

export interface FollowedVersions {
  readonly versions: Pick<VersionStore, 'newest' | 'read'>
  readonly versionNews: VersionNews
  readonly log: Pick<Logger, 'info' | 'warn'>
}

/** How the process stands to the registry. */
export interface FollowState {
  readonly served: number
  /** As of the last poll that was answered. */
  readonly newest: number
  /** Why the newest is not served; null: it is, or will be in a moment. */
  readonly problem: string | null
}

export interface VersionFollower {
  readonly state: () => FollowState
  /** What is under way is waited for. */
  readonly stop: () => Promise<void>
}

const pollMs = 1_000
/** What a program cannot serve now it cannot serve a second later: building it again and again would only cost. */
const refusedMs = 10_000
const problemLineMs = 60_000

/**
 * Asks for the registry's newest version each second, and hands each that is another to `take`. One that cannot be read or
 * taken leaves the process with what it serves, and is tried again; the same while the database is away.
 */
export function followVersions(
  { versions, versionNews, log }: FollowedVersions,
  first: ServedVersion,
  take: (next: ServedVersion) => Promise<void>,
): VersionFollower {
  const stopping = new AbortController()
  const isNews = atMostEvery(problemLineMs)
  let served: Pick<ServedVersion, 'version'> = first
  let newest = first.version
  let problem: string | null = null
  let refused = { version: 0, until: 0 }
  let wake = new AbortController()
  const stopListening = versionNews.listen(() => wake.abort())

  async function follow(): Promise<void> {
    newest = await versions.newest()
    if (newest === 0) throw new RegistryUnreadable('the registry has no version any more')
    if (newest === served.version) {
      problem = null
      return
    }
    if (newest === refused.version && performance.now() < refused.until) return
    const stored = await versions.read(newest)
    if (stored === null) return
    const next = servedVersion(stored)
    await take(next)
    served = next
    problem = null
    log.info(`version ${next.version} of the registry is served`)
  }

  function note(error: unknown): void {
    // While the database is away, what is served is the newest that anybody knows of.
    if (error instanceof StoreFailed) {
      if (isNews('')) log.warn({ err: error }, "the registry's newest version cannot be read; trying again")
      return
    }
    problem = messageOf(error)
    refused = { version: newest, until: performance.now() + refusedMs }
    if (isNews(`${newest} ${problem}`))
      log.warn(
        { err: error },
        `version ${newest} of the registry cannot be served, version ${served.version} is served on: ${problem}`,
      )
  }

  async function goOn(): Promise<void> {
    while (!stopping.signal.aborted) {
      const signal = AbortSignal.any([stopping.signal, wake.signal])
      await sleep(pollMs, undefined, { signal, ref: false }).catch(() => {})
      if (stopping.signal.aborted) return
      wake = new AbortController()
      await follow().catch(note)
    }
  }

  const going = goOn()
  return {
    state: () => ({ served: served.version, newest, problem }),
    async stop() {
      stopping.abort()
      await going
      await stopListening()
    },
  }
}
