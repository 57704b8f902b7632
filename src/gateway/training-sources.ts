import { availableParallelism } from 'node:os'
import path from 'node:path'
import type pg from 'pg'
import type { Logger } from 'pino'
import type { Config } from '../config/config.ts'
import type { EngineSources, TrainingEngines } from '../historical/training/make-by-engine.ts'
import { deletionCheck } from '../stores/postgres/deletion/deletion-check.ts'
import { postgresAsOfSnapshots } from '../stores/postgres/features/as-of-snapshot.ts'
import { postgresRunStore } from '../stores/postgres/system/run-store.ts'
import { exportStores } from './export-stores.ts'
import { routedSnapshots } from './routed-snapshots.ts'
import { systemClock } from './system-clock.ts'
import { viewFiles } from './view-files.ts'

export type TrainingSettings = Pick<
  Config,
  'project' | 'schemaFolder' | 'lake' | 'duckDbMemory' | 'filesFolder' | 'sparkSubmit'
>

/** What a training set is made of and written by, for the command and for jobs; DuckDB is loaded with it. */
export async function trainingSources(
  config: TrainingSettings,
  system: pg.Pool,
  log: Pick<Logger, 'warn' | 'debug'>,
): Promise<EngineSources> {
  const { project, schemaFolder, lake, duckDbMemory } = config
  const { duckDbTrainingFiles: trainingFiles } = await import('../stores/duckdb/training-file.ts')
  const countNonFinite = (view: string): void =>
    log.warn(`${view}: a mapped table or file holds NaN or Infinity, which is null in the training set`)
  const files = {
    ...{ memoryLimit: duckDbMemory, threads: availableParallelism(), lake, countNonFinite },
    deletions: (fields: Parameters<typeof deletionCheck>[2]) => deletionCheck(system, project, fields),
  }
  return {
    snapshots: routedSnapshots(postgresAsOfSnapshots(system, { project, countNonFinite }), files),
    trainingFiles,
    engines: await trainingEngines(config, system, { log, files }),
    onDemand: {
      folder: schemaFolder,
      onFailure: ({ view, message }) =>
        log.warn(
          `${view}: its function failed for rows, which are FAILED in the training set; first: ${message}`,
        ),
    },
  }
}

async function trainingEngines(
  { project, lake, filesFolder, duckDbMemory, sparkSubmit }: TrainingSettings,
  system: pg.Pool,
  {
    log,
    files,
  }: { readonly log: Pick<Logger, 'warn' | 'debug'>; readonly files: Parameters<typeof routedSnapshots>[1] },
): Promise<TrainingEngines> {
  const { duckDbFileJoins } = await import('../stores/duckdb/joins/file-joins.ts')
  const { findingStatements, findRowsBy } = await import('../stores/duckdb/joins/find-rows.ts')
  const { findRowsByJob, jobScript } = await import('../stores/duckdb/joins/find-rows-by-job.ts')
  const { sparkEngine } = await import('../stores/spark/spark-engine.ts')
  const byJob = findRowsByJob({
    engine: sparkEngine({ submit: sparkSubmit }),
    exchange: filesFolder === null ? null : path.join(filesFolder, project, 'engines'),
    // As the log of a batch on an engine: what matters of it is in the error of a job that fails.
    onLog: (line) => log.debug(`spark: ${line}`),
    deletions: files.deletions,
  })
  return {
    viewFiles: viewFiles({
      ...{ project, pool: system, lake, folder: filesFolder },
      exports: exportStores({
        ...{ config: { project, lake }, clock: systemClock, log },
        stores: { system, runs: postgresRunStore(system, project) },
      }),
    }),
    joins: {
      duckdb: duckDbFileJoins({
        ...{ ...files, findRows: findRowsBy(files.deletions) },
        statements: async (_, join, times) => findingStatements(join, times),
      }),
      spark: duckDbFileJoins({
        ...{ ...files, findRows: byJob },
        statements: async (connection, join, times) => ({
          kind: 'SCRIPT',
          sql: await jobScript(connection, join, { spine: 'spine.parquet', output: 'found', times }),
        }),
      }),
    },
    hasExports: filesFolder !== null,
    // One in a process of its own has no more memory than DuckDB has.
    hasSpark: !/local(?:\[|$|\s)/.test(sparkSubmit),
    memoryBytes: bytesOf(duckDbMemory),
  }
}

/** `512MB` or `2GB`. */
function bytesOf(size: string): number {
  return Number.parseInt(size, 10) * (size.endsWith('GB') ? 1e9 : 1e6)
}
