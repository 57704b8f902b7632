import { setTimeout as sleep } from 'node:timers/promises'
import { EmbeddedPostgresFailed } from '../errors.ts'
import type { TiedProcess } from './pipe-tie.ts'
import type { Place } from './place.ts'
import { judgePostmasterPid, removeStalePidFile } from './postmaster-pid.ts'
import { startServer } from './start-server.ts'

/** The server that runs on a data folder: started here, or by the process `ownerPid`, if that is known. */
export type RunningServer =
  | { readonly kind: 'STARTED'; readonly port: number; readonly server: TiedProcess }
  | {
      readonly kind: 'JOINED'
      readonly port: number
      readonly pid: number
      readonly ownerPid: number | undefined
    }

/** Lines for a person; `warn` for what went wrong. */
export interface EmbeddedLog {
  readonly info: (line: string) => void
  readonly warn: (line: string) => void
}

export interface StartOrJoinOptions {
  /** Tried once; where it cannot be had, or without one, any that is free. */
  readonly port?: number
  /** Ends a start that is under way, and then this rejects. */
  readonly signal: AbortSignal
  readonly log: EmbeddedLog
}

/** How long a refusal that passes is met with another try. */
const refusedMs = 5000

/** How long a live server that is starting, recovering or stopping is waited for. */
const otherServerMs = 120_000

/**
 * Joins the server that runs on the data folder, or starts one; of several processes at once one starts it and the others
 * join. Throws EmbeddedPostgresFailed, with Postgres's words where it was Postgres that refused.
 */
export async function startOrJoin(
  place: Place,
  env: Readonly<Record<string, string>>,
  { port, signal, log }: StartOrJoinOptions,
): Promise<RunningServer> {
  const begun = performance.now()
  for (let tried = port; ; ) {
    signal.throwIfAborted()
    const verdict = await judgePostmasterPid(place.dataFolder)
    if (verdict.kind === 'READY') return { ...verdict, kind: 'JOINED' }
    if (verdict.kind === 'NOT_READY') {
      if (performance.now() - begun > otherServerMs) {
        throw new EmbeddedPostgresFailed(
          `another process's Postgres on ${place.dataFolder} is neither ready nor gone after ${otherServerMs / 1000} s`,
        )
      }
      await sleep(20)
      continue
    }
    // Over a process that is gone Postgres starts by itself, and its own check is the better one.
    if (verdict.kind === 'STALE' && verdict.reason !== 'GONE') {
      log.info(`embedded Postgres: removing a stale postmaster.pid (${verdict.reason.toLowerCase()})`)
      await removeStalePidFile(place.dataFolder, verdict.text)
    }
    const start = await startServer(place, env, { port: tried, signal })
    if (start.status === 'READY') return { kind: 'STARTED', port: start.port, server: start.server }
    if (start.reason === 'PORT_TAKEN') tried = undefined
    if (start.reason === 'REFUSED' || performance.now() - begun > refusedMs) {
      throw new EmbeddedPostgresFailed(`Postgres on ${place.dataFolder} did not start:\n${start.output}`)
    }
    await sleep(50)
  }
}
