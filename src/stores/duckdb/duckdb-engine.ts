import { mkdtemp, rm } from 'node:fs/promises'
import { availableParallelism, tmpdir } from 'node:os'
import path from 'node:path'
import type { DuckDBConnection } from '@duckdb/node-api'
import { BadUserInput, EngineFailed } from '../../errors.ts'
import { beginOutput, finishOutput, isLocal, successFile } from '../engine-run/output-folder.ts'
import type { EngineJob, EngineOptions, EngineResult, JobEngine } from '../job-engine.ts'
import type { LakeAccess } from '../lake-access.ts'
import { firstLineOf } from './duckdb-files.ts'
import { openDuckDb } from './open-duckdb.ts'
import { quoteText } from './sql-text.ts'

export interface DuckDbEngineOptions {
  /** As `2GB`; what does not fit is written to a temporary folder meanwhile. */
  readonly memoryLimit: string
  readonly lake: LakeAccess
}

/** In this process, by threads of DuckDB's own: the event loop goes on. */
export function duckDbEngine({ memoryLimit, lake }: DuckDbEngineOptions): JobEngine {
  return {
    name: 'duckdb',
    async run(job, options) {
      options.signal.throwIfAborted()
      if (isLocal(job.output)) await beginOutput(job.output)
      const temporary = await mkdtemp(path.join(tmpdir(), 'featuregraph-duckdb-'))
      try {
        const instance = await openDuckDb({
          ...{ place: ':memory:', memoryLimit, temporary, lake },
          threads: availableParallelism(),
          paths: [...job.inputs, job.output],
        })
        const connection = await instance.connect()
        try {
          return await runScript(connection, job, options)
        } finally {
          connection.disconnectSync()
          instance.closeSync()
        }
      } finally {
        await rm(temporary, { recursive: true, force: true })
      }
    },
  }
}

async function runScript(
  connection: DuckDBConnection,
  { name, sql, output }: EngineJob,
  { signal, onLog }: EngineOptions,
): Promise<EngineResult> {
  let again: NodeJS.Timeout | undefined
  // Until it has ended: between two statements there is nothing to interrupt.
  const interrupt = (): void => {
    connection.interrupt()
    again = setTimeout(interrupt, 100)
  }
  signal.addEventListener('abort', interrupt)
  try {
    if (!isLocal(output)) await refuseObjects(connection, output)
    const statements = await connection.extractStatements(sql)
    let rows = 0
    for (let index = 0; index < statements.count; index += 1) {
      signal.throwIfAborted()
      const prepared = await statements.prepare(index)
      const reader = await prepared.runAndReadAll()
      rows = Number(reader.getRows()[0]?.[0] ?? 0)
      onLog(`statement ${index + 1} of ${statements.count} done`)
    }
    if (isLocal(output)) await finishOutput(output)
    // Of nothing DuckDB makes no object.
    else
      await connection.run(
        `copy (select '') to ${quoteText(`${output}/${successFile}`)} (format csv, header false)`,
      )
    return { rows }
  } catch (error) {
    signal.throwIfAborted()
    if (error instanceof BadUserInput) throw error
    throw new EngineFailed(`${name} failed on DuckDB: ${firstLineOf(error)}`)
  } finally {
    signal.removeEventListener('abort', interrupt)
    clearTimeout(again)
  }
}

/** An object store has no folder to mark: whatever is there is left alone. */
async function refuseObjects(connection: DuckDBConnection, output: string): Promise<void> {
  const reader = await connection.runAndReadAll(`select file from glob(${quoteText(`${output}/**`)}) limit 1`)
  const [found] = reader.getRows()
  if (found !== undefined)
    throw new BadUserInput(
      `${output} holds objects already, as ${String(found[0])}; name another folder, or remove them`,
    )
}
