import type pg from 'pg'
import type { Logger } from 'pino'
import type { Config } from '../config.ts'
import type { TrainingSources } from '../historical/training/make-training-set.ts'
import { postgresAsOfSnapshots } from '../stores/postgres/features/as-of-snapshot.ts'

/** What a training set is made of and written by, for the command and for jobs; DuckDB is loaded with it. */
export async function trainingSources(
  { project, schemaFolder }: Pick<Config, 'project' | 'schemaFolder'>,
  system: pg.Pool,
  log: Pick<Logger, 'warn'>,
): Promise<TrainingSources> {
  const { duckDbTrainingFiles: trainingFiles } = await import('../stores/duckdb/training-file.ts')
  const countNonFinite = (view: string): void =>
    log.warn(`${view}: a mapped table holds NaN or Infinity, which is null in the training set`)
  return {
    snapshots: postgresAsOfSnapshots(system, { project, countNonFinite }),
    trainingFiles,
    onDemand: {
      folder: schemaFolder,
      onFailure: ({ view, message }) =>
        log.warn(
          `${view}: its function failed for rows, which are FAILED in the training set; first: ${message}`,
        ),
    },
  }
}
