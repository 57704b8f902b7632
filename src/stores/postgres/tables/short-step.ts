import { setTimeout as sleep } from 'node:timers/promises'
import type pg from 'pg'
import { ApplyRefused, errorCode, messageOf } from '../../../errors.ts'
import { inTransaction } from '../sql/pool.ts'
import { backendPid, watchBlockers } from './blocking-sessions.ts'

export interface StepTiming {
  /** Nobody waits for us longer: while a statement waits for a table's lock, all who come later wait behind it. */
  readonly lockTimeoutMs: number
  /** In which they go on. */
  readonly pauseMs: number
  readonly tries: number
}

export const stepTiming: StepTiming = { lockTimeoutMs: 2_000, pauseMs: 1_000, tries: 10 }

export interface ShortStepOptions {
  readonly timing: StepTiming
  readonly report: (line: string) => void
}

const lockNotAvailable = '55P03'
/** By the statement timeout: the locks of many partitions are waited for one after the other. */
const cancelled = '57014'
const dependentObjects = '2BP01'

/**
 * The statements in one transaction, each of which gives up after the timeout; then they are tried again.
 * @throws ApplyRefused naming the processes that hold what they need, or what depends on what they drop.
 */
export async function makeShortStep(
  pool: pg.Pool,
  what: string,
  statements: readonly string[],
  { timing, report }: ShortStepOptions,
): Promise<void> {
  const { lockTimeoutMs, pauseMs, tries } = timing
  for (let attempt = 1; ; attempt += 1) {
    let blockers: string | null = null
    try {
      await inTransaction(pool, async (client) => {
        const watch = watchBlockers(pool, await backendPid(client), lockTimeoutMs / 4)
        try {
          await client.query(`set local lock_timeout = ${lockTimeoutMs}`)
          await client.query(`set local statement_timeout = ${lockTimeoutMs}`)
          for (const statement of statements) await client.query(statement)
        } finally {
          await watch.end()
          blockers = watch.last()
        }
      })
      return
    } catch (error) {
      const code = errorCode(error)
      if (code === dependentObjects)
        throw new ApplyRefused(
          `${what} cannot be dropped: ${messageOf(error)}; drop what depends on it first, then run this again`,
          { cause: error },
        )
      if (code !== lockNotAvailable && code !== cancelled) throw error
      const waited = `${what}: not done within ${lockTimeoutMs / 1_000} s, ${blockers === null ? 'since the table is in use' : `since ${blockers} uses the table`}`
      if (attempt === tries)
        throw new ApplyRefused(
          `${waited}; tried ${tries} times. End what uses it (select pg_terminate_backend(<process>)) or wait for it, then run this again: it goes on where it stopped, and nothing that is served has changed`,
          { cause: error },
        )
      report(`${waited}; trying again`)
    }
    await sleep(pauseMs)
  }
}
