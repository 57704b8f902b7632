import { setTimeout as sleep } from 'node:timers/promises'
import { messageOf } from '../errors.ts'
import { isRunning, judgePostmasterPid } from './postmaster-pid.ts'
import type { EmbeddedLog, RunningServer } from './start-or-join.ts'
import { stopServer } from './stop-server.ts'

export interface KeepRunningOptions {
  readonly dataFolder: string
  /** Starts or joins, trying this port first; rejects when the signal aborts. */
  readonly startAgain: (port: number, signal: AbortSignal) => Promise<RunningServer>
  /** Called with each server that runs after one that ended, before the log says so. */
  readonly onBack: (server: RunningServer) => void
  readonly log: EmbeddedLog
}

/** Pauses before a start: the first, doubled after each, up to the longest; the first again once a server stayed up. */
const firstPauseMs = 100
const longestPauseMs = 10_000
const stayedUpMs = 10_000

/** How often a process that joined checks whether the server still runs. */
const checkEveryMs = 250

/**
 * Starts the server again whenever it ends, and again until that succeeds. The process that started it does so; one that
 * joined waits for that process and takes its part when it has ended too. Logs one line for each end, start and return.
 * Answers how to stop, which ends a server started here, whatever is under way, and resolves when it is gone.
 */
export function keepRunning(first: RunningServer, options: KeepRunningOptions): () => Promise<void> {
  const stopping = new AbortController()
  const { signal } = stopping
  const kept = keep(first, options, signal)
  return async () => {
    stopping.abort()
    await kept
  }
}

async function keep(first: RunningServer, options: KeepRunningOptions, signal: AbortSignal): Promise<void> {
  let running = first
  let pauseMs = firstPauseMs
  for (;;) {
    const since = performance.now()
    await (running.kind === 'STARTED'
      ? startedEnds(running, options, signal)
      : joinedEnds(running, options, signal))
    if (signal.aborted) break
    if (performance.now() - since > stayedUpMs) pauseMs = firstPauseMs
    const next = await startAgain(running.port)
    if (next === null) return
    running = next
  }
  if (running.kind === 'STARTED') await stopServer(running.server)

  /** Null: stopped before a server ran. */
  async function startAgain(port: number): Promise<RunningServer | null> {
    options.log.info(`embedded Postgres: being started again in ${pauseMs} ms`)
    for (;;) {
      await pause(pauseMs, signal)
      pauseMs = Math.min(2 * pauseMs, longestPauseMs)
      if (signal.aborted) return null
      try {
        const next = await options.startAgain(port, signal)
        options.onBack(next)
        options.log.info(`embedded Postgres: back on port ${next.port}${describe(next)}`)
        return next
      } catch (error) {
        if (signal.aborted) return null
        options.log.warn(
          `embedded Postgres: not started again, next try in ${pauseMs} ms: ${messageOf(error)}`,
        )
      }
    }
  }
}

function describe(server: RunningServer): string {
  return server.kind === 'STARTED' ? '' : `, started by process ${server.ownerPid ?? 'unknown'}`
}

/** Resolves when the server has ended, or when the signal aborts. */
async function startedEnds(
  { server }: Extract<RunningServer, { kind: 'STARTED' }>,
  { log }: KeepRunningOptions,
  signal: AbortSignal,
): Promise<void> {
  const code = await Promise.race([server.exited, aborted(signal)])
  if (code !== null && !signal.aborted)
    log.warn(`embedded Postgres: ended unexpectedly with code ${code}; see postgres.log`)
}

/**
 * Resolves when the server has ended and another runs or the process that started it has ended too, or when the signal
 * aborts.
 */
async function joinedEnds(
  { pid, ownerPid }: Extract<RunningServer, { kind: 'JOINED' }>,
  { dataFolder, log }: KeepRunningOptions,
  signal: AbortSignal,
): Promise<void> {
  let hasEnded = false
  while (!signal.aborted) {
    const verdict = await judgePostmasterPid(dataFolder)
    const isGone = verdict.kind === 'ABSENT' || verdict.kind === 'STALE'
    const isReplaced = verdict.kind === 'READY' && verdict.pid !== pid
    if ((isGone || isReplaced) && !hasEnded) {
      hasEnded = true
      log.warn(
        `embedded Postgres: ended, which process ${ownerPid ?? 'unknown'} had started; see postgres.log`,
      )
    }
    if (isReplaced || (isGone && !(await ownerLives(ownerPid)))) return
    await pause(checkEveryMs, signal)
  }
}

/** False for this very process: what it started and lost without hearing of it is its own to start again. */
async function ownerLives(ownerPid: number | undefined): Promise<boolean> {
  return ownerPid !== undefined && ownerPid !== process.pid && (await isRunning(ownerPid))
}

/** Resolves early when the signal aborts; keeps no process alive. */
async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal, ref: false }).catch(() => {})
}

async function aborted(signal: AbortSignal): Promise<null> {
  if (signal.aborted) return null
  return await new Promise((resolve) => {
    signal.addEventListener('abort', () => resolve(null), { once: true })
  })
}
