import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Logger } from 'pino'
import type { Config } from '../config/config.ts'
import type { Clock } from '../definitions/timestamp.ts'
import { filesFolder } from '../historical/jobs/files-folder.ts'
import { serveQueue } from '../historical/jobs/serve-queue.ts'
import { sweepFiles } from '../historical/jobs/sweep-files.ts'
import type { ClaimedJob } from '../stores/training-job-queue.ts'
import type { Stores } from './open-stores.ts'
import { makeTrainingJob } from './training-job.ts'

/** Makes a training set in a process of its own; resolves when that has ended. The signal ends it. */
export type TrainingJobApart = (job: ClaimedJob, signal: AbortSignal) => Promise<void>

export interface TrainingJobsOptions {
  readonly config: Config
  readonly stores: Pick<Stores, 'trainingJobs' | 'trainingSets' | 'spines'>
  /** Null: they are made in this process. */
  readonly apart: TrainingJobApart | null
  readonly clock: Clock
  readonly log: Logger
}

/** This gateway's share of the project's training sets; resolves once the signal aborts and what is under way has ended. */
export async function runTrainingJobs(
  { config, stores, apart, clock, log }: TrainingJobsOptions,
  signal: AbortSignal,
): Promise<void> {
  if (config.filesFolder === null) return
  const folder = filesFolder(config.filesFolder, config.project)
  const targets = { ...stores, folder, retentionMicros: config.trainingSetRetentionMicros }
  await serveQueue(stores.trainingJobs, {
    concurrency: config.trainingSetConcurrency,
    start: apart ?? ((job, ending) => makeTrainingJob(config, job, { signal: ending, log })),
    sweep: () => sweepFiles(targets, clock()),
    newHolder: randomUUID,
    signal,
    pause: (ms) => sleep(ms, undefined, { signal }).catch(() => {}),
    log: { warn: (line, error) => log.warn({ err: error }, line) },
  })
}
