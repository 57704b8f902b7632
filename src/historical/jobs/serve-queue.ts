import { StoreFailed } from '../../errors.ts'
import type { ClaimedJob, TrainingJobQueue } from '../../stores/training-job-queue.ts'

export interface QueueOptions {
  /** Jobs at once. */
  readonly concurrency: number
  /** Resolves when the attempt has ended, in whatever way; the signal ends it. */
  readonly start: (job: ClaimedJob, signal: AbortSignal) => Promise<void>
  /** Expires and removes files; called at the start, each minute and when a job has ended. */
  readonly sweep: () => Promise<void>
  readonly newHolder: () => string
  readonly signal: AbortSignal
  readonly pause: (ms: number) => Promise<unknown>
  readonly log: { readonly warn: (line: string, error: unknown) => void }
}

const pollMs = 1_000
const sweepEvery = 60

/** Has jobs of the queue made until the signal aborts; those that are under way end then, and others may go on with them. */
export async function serveQueue(
  queue: Pick<TrainingJobQueue, 'claim' | 'release'>,
  { concurrency, start, sweep, newHolder, signal, pause, log }: QueueOptions,
): Promise<void> {
  const running = new Set<Promise<void>>()
  let isFailing = false
  let turnsToSweep = 0

  async function run(job: ClaimedJob): Promise<void> {
    await start(job, signal).catch((error: unknown) =>
      log.warn(`the process of training set ${job.id} failed; it is tried again`, error),
    )
  }

  async function claimAll(): Promise<void> {
    while (running.size < concurrency && !signal.aborted) {
      const job = await queue.claim(newHolder())
      if (job === null) return
      const attempt = run(job).finally(() => {
        running.delete(attempt)
        turnsToSweep = 0
      })
      running.add(attempt)
    }
  }

  while (!signal.aborted) {
    try {
      if (turnsToSweep <= 0) {
        turnsToSweep = sweepEvery
        await sweep()
      }
      turnsToSweep -= 1
      await claimAll()
      isFailing = false
    } catch (error) {
      if (!isFailing) log.warn('training sets cannot be made at present', error)
      isFailing = true
      if (!(error instanceof StoreFailed)) await pause(pollMs)
    }
    await pause(pollMs)
  }
  await Promise.all(running)
}
