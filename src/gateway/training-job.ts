import { setTimeout as sleep } from 'node:timers/promises'
import type pg from 'pg'
import type { Logger } from 'pino'
import type { Config } from '../config/config.ts'
import { NotAvailable } from '../errors.ts'
import { filesFolder } from '../historical/jobs/files-folder.ts'
import type { JobSources } from '../historical/jobs/job-sources.ts'
import { runJob } from '../historical/jobs/run-job.ts'
import { postgresLaterChanges } from '../stores/postgres/deletion/later-changes.ts'
import { postgresVersionStore } from '../stores/postgres/system/version-store.ts'
import { postgresSpineStore } from '../stores/postgres/training/spine-store.ts'
import { postgresTrainingJobQueue } from '../stores/postgres/training/training-job-queue.ts'
import { postgresTrainingSetStore } from '../stores/postgres/training/training-set-store.ts'
import type { ClaimedJob } from '../stores/training-job-queue.ts'
import { openPostgres } from './open-postgres.ts'
import { openLocalFiles } from './open-stores.ts'
import { programVersion } from './program-version.ts'
import { trainingSources } from './training-sources.ts'

export type JobSettings = Pick<
  Config,
  | 'project'
  | 'schemaFolder'
  | 'offlineUrl'
  | 'dataFolder'
  | 'filesFolder'
  | 'filesMaxBytesPerKey'
  | 'trainingSetMaxReads'
  | 'trainingSetPartRows'
  | 'trainingEngine'
  | 'lake'
  | 'duckDbMemory'
  | 'sparkSubmit'
>

/** Makes one training set that was claimed, on connections of its own. The signal gives it back to the queue. */
export async function makeTrainingJob(
  config: JobSettings,
  job: ClaimedJob,
  { signal, log }: { readonly signal: AbortSignal; readonly log: Logger },
): Promise<void> {
  const { system, close } = await openPostgres(config, log)
  try {
    await runJob(await jobSources(config, system, log), job, {
      partRows: config.trainingSetPartRows,
      signal,
      pause: (ms) => sleep(ms, undefined, { signal }).catch(() => {}),
      log: { warn: (line, error) => log.warn({ err: error }, line) },
    })
  } finally {
    await close()
  }
}

/** What a job reads and writes; DuckDB is loaded with it. @throws NotAvailable without a folder. */
export async function jobSources(config: JobSettings, system: pg.Pool, log: Logger): Promise<JobSources> {
  const { project } = config
  if (config.filesFolder === null) throw new NotAvailable('FEATUREGRAPH_FILES is not set')
  const { summarizeParts } = await import('../stores/duckdb/part-summaries.ts')
  return {
    ...(await trainingSources(config, system, log)),
    engine: config.trainingEngine,
    queue: postgresTrainingJobQueue(system, project),
    trainingSets: postgresTrainingSetStore(system, project),
    spines: postgresSpineStore(system, project),
    changes: postgresLaterChanges(system, project),
    versions: postgresVersionStore(system, project),
    files: openLocalFiles(),
    folder: filesFolder(config.filesFolder, project),
    maxHeldBytes: config.filesMaxBytesPerKey,
    maxReads: config.trainingSetMaxReads,
    program: programVersion(),
    ...{ project, summarizeParts },
  }
}
