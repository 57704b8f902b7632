import { StoreFailed } from '../../errors.ts'
import type { ClaimedJob, TrainingJobQueue } from '../../stores/training-job-queue.ts'

const renewMs = 1_000

/** An attempt that is at work. */
export interface HeldLease {
  /** Aborts when the job is another's, or nobody's any more, and when the process is to end. */
  readonly signal: AbortSignal
  /** Recorded with the next renewal. */
  readonly progress: (done: number) => void
  readonly stop: () => Promise<void>
}

/** Renews an attempt's lease each second. A database that does not answer lets nobody else take over either. */
export function holdLease(
  queue: Pick<TrainingJobQueue, 'renew'>,
  job: ClaimedJob,
  stopping: AbortSignal,
): HeldLease {
  const lost = new AbortController()
  let done = 0
  let renewal: Promise<void> = Promise.resolve()
  let isRenewing = false

  async function renew(): Promise<void> {
    if (isRenewing) return
    isRenewing = true
    try {
      if (!(await queue.renew(job, done))) lost.abort()
    } catch (error) {
      if (!(error instanceof StoreFailed)) lost.abort(error)
    } finally {
      isRenewing = false
    }
  }

  const timer = setInterval(() => {
    renewal = renew()
  }, renewMs)
  return {
    signal: AbortSignal.any([stopping, lost.signal]),
    progress(now) {
      done = Math.max(done, Math.min(1, now))
    },
    async stop() {
      clearInterval(timer)
      await renewal
    },
  }
}
