import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { DuckDBInstance } from '@duckdb/node-api'
import { expect, it } from 'vitest'
import { findRowsByJob } from '../../../../src/stores/duckdb/joins/find-rows-by-job.ts'
import { listReadFiles } from '../../../../src/stores/duckdb/joins/list-read-files.ts'
import type { FileJoin } from '../../../../src/stores/file-join.ts'
import type { JobEngine } from '../../../../src/stores/job-engine.ts'
import { joinCases } from '../../join-sql/join-cases.ts'

it('what an engine finds for an entity that was deleted since is no row, as by DuckDB', async () => {
  const folder = await mkdtemp(path.join(tmpdir(), 'featuregraph-job-'))
  const instance = await DuckDBInstance.create(':memory:')
  const connection = await instance.connect()
  try {
    await mkdir(path.join(folder, 'profile'))
    await connection.run(
      `copy (select 'a' as shop, 1::BIGINT as seats) to '${folder}/profile/one.parquet' (format parquet)`,
    )
    await connection.run(
      `create table spine as select * from (values (0, 100, 'a'), (1, 200, 'b'), (2, 300, 'a'), (3, 300, null)) as s(place, t, key_0)`,
    )
    const [read] = joinCases['known-at-a-moment']?.reads ?? []
    if (read?.kind !== 'ROWS') throw new TypeError('the case begins with rows')
    const files = await listReadFiles(connection, 'profile', path.join(folder, 'profile'))
    const join = {
      ...{ reads: [{ ...read, files }], knownAt: { kind: 'ALL' }, out: path.join(folder, 'out.parquet') },
    } as unknown as FileJoin
    // It answers every row at its own time, as a script over other files would.
    const engine: JobEngine = {
      name: 'spark',
      async run({ inputs: [spine], output }) {
        await mkdir(output)
        await connection.run(
          `copy (select place, t as e_0, false as closing_0, 7::BIGINT as f0_0 from '${spine}' where key_0 is not null) to '${output}/part.parquet' (format parquet)`,
        )
        return { rows: null }
      },
    }
    const find = findRowsByJob({
      ...{ engine, exchange: null, onLog: () => {} },
      // "a" was deleted at 200: what is later is of a new "a".
      deletions: async () => async (rows) =>
        rows.map(({ key, eventTimestamp }) => key[0] === 'a' && eventTimestamp <= 200),
    })
    const [found] = await find(connection, join, {
      times: { from: 100, to: 300 },
      folder: path.join(folder, 'work'),
      signal: new AbortController().signal,
    })
    const reader = await connection.runAndReadAll(`select place, f0 from ${found} order by place`)
    expect(reader.getRowsJson().map((row) => row.map(Number))).toEqual([
      [1, 7],
      [2, 7],
    ])
  } finally {
    connection.disconnectSync()
    instance.closeSync()
    await rm(folder, { recursive: true, force: true })
  }
})
