import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { type DuckDBConnection, DuckDBInstance } from '@duckdb/node-api'
import { expect, it } from 'vitest'
import { BadUserInput, FilesChanged } from '../../../../src/errors.ts'
import { findRowsByJob } from '../../../../src/stores/duckdb/joins/find-rows-by-job.ts'
import { listReadFiles } from '../../../../src/stores/duckdb/joins/list-read-files.ts'
import type { FileJoin } from '../../../../src/stores/file-join.ts'
import type { JobEngine } from '../../../../src/stores/job-engine.ts'
import { joinCases } from '../../join-sql/join-cases.ts'

/** Four spine rows of shops, and a view of one Parquet file whose rows an engine finds as it says. */
async function withJob(
  work: (world: {
    readonly connection: DuckDBConnection
    /** The view's. */
    readonly files: string
    /** What was found, by the place in the spine; `deletedUntil`: of shop a. */
    readonly find: (
      engine: JobEngine['run'],
      deletedUntil?: number,
    ) => Promise<readonly (readonly number[])[]>
    readonly left: () => Promise<readonly string[]>
  }) => Promise<void>,
): Promise<void> {
  const folder = await mkdtemp(path.join(tmpdir(), 'featuregraph-job-'))
  const instance = await DuckDBInstance.create(':memory:')
  const connection = await instance.connect()
  try {
    const [files, exchange] = [path.join(folder, 'profile'), path.join(folder, 'exchange')]
    await mkdir(files)
    await connection.run(
      `copy (select 'a' as shop, 1::BIGINT as seats) to '${files}/one.parquet' (format parquet)`,
    )
    await connection.run(
      `create table spine as select * from (values (0, 100, 'a'), (1, 200, 'b'), (2, 300, 'a'), (3, 300, null)) as s(place, t, key_0)`,
    )
    const [read] = joinCases['known-at-a-moment']?.reads ?? []
    if (read?.kind !== 'ROWS') throw new TypeError('the case begins with rows')
    await work({
      ...{ connection, files },
      left: async () => await readdir(exchange),
      async find(run, deletedUntil = 0) {
        const find = findRowsByJob({
          ...{ engine: { name: 'spark', run }, exchange, onLog: () => {} },
          deletions: async () => async (rows) =>
            rows.map(({ key, eventTimestamp }) => key[0] === 'a' && eventTimestamp <= deletedUntil),
        })
        const listed = await listReadFiles(connection, 'profile', files)
        const join = {
          ...{ reads: [{ ...read, files: listed }], knownAt: { kind: 'ALL' } },
          out: path.join(folder, 'out.parquet'),
        } as unknown as FileJoin
        const [found] = await find(connection, join, {
          times: { from: 100, to: 300 },
          folder: path.join(folder, 'work'),
          signal: new AbortController().signal,
        })
        const reader = await connection.runAndReadAll(`select place, f0 from ${found} order by place`)
        return reader.getRowsJson().map((row) => row.map(Number))
      },
    })
  } finally {
    connection.disconnectSync()
    instance.closeSync()
    await rm(folder, { recursive: true, force: true })
  }
}

/** Answers every row at its own time, as a script over other files would. */
function answering(connection: DuckDBConnection, meanwhile = async () => {}): JobEngine['run'] {
  return async ({ inputs: [spine], output }) => {
    await mkdir(output)
    await connection.run(
      `copy (select place, t as e_0, false as closing_0, 7::BIGINT as f0_0 from '${spine}' where key_0 is not null) to '${output}/part.parquet' (format parquet)`,
    )
    await meanwhile()
    return { rows: null }
  }
}

it('what an engine finds for an entity that was deleted since is no row, as by DuckDB', async () => {
  await withJob(async ({ connection, find }) => {
    // "a" was deleted at 200: what is later is of a new "a".
    expect(await find(answering(connection), 200)).toEqual([
      [1, 7],
      [2, 7],
    ])
  })
})

it('what an engine found is refused where a file that it read is gone or was written again meanwhile', async () => {
  const changes = [
    (files: string) =>
      `copy (select 'b' as shop, 2::BIGINT as seats) to '${files}/one.parquet' (format parquet)`,
    async (files: string) => await rm(path.join(files, 'one.parquet')),
  ]
  for (const change of changes)
    await withJob(async ({ connection, files, find, left }) => {
      const finding = find(
        answering(connection, async () => {
          const sql = await change(files)
          if (sql !== undefined) await connection.run(sql)
        }),
      )
      await expect(finding).rejects.toThrow(FilesChanged)
      await expect(finding).rejects.toThrow(/one\.parquet (is not there any more|has \d+ bytes)/)
      expect(await left()).toEqual([])
    })
})

it('files of which one has another type of a column are refused before anything is submitted, naming both', async () => {
  await withJob(async ({ connection, files, find, left }) => {
    await connection.run(
      `copy (select 'b' as shop, 1::INTEGER as seats, 3 as other) to '${files}/two.parquet' (format parquet)`,
    )
    const finding = find(() => Promise.reject(new Error('it was submitted')))
    await expect(finding).rejects.toThrow(BadUserInput)
    await expect(finding).rejects.toThrow(
      /^column "seats" is INT32.* in .*two\.parquet and INT64.* in .*one\.parquet; Spark reads one type a column/,
    )
    expect(await left()).toEqual([])
  })
})
