import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { BadUserInput, EngineFailed } from '../../../src/errors.ts'
import { duckDbEngine } from '../../../src/stores/duckdb/duckdb-engine.ts'
import type { EngineResult } from '../../../src/stores/job-engine.ts'
import { readS3Access } from '../../../src/stores/lake-access.ts'

let folder: string
let number = 0
const engine = duckDbEngine({
  memoryLimit: '256MB',
  lake: { extensionsFolder: null, s3: readS3Access({}) },
})

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'featuregraph-engine-'))
})
afterAll(async () => {
  await rm(folder, { recursive: true, force: true })
})

function freshOutput(): string {
  number += 1
  return path.join(folder, `rows-${number}`)
}

function run(
  output: string,
  select: string,
  signal = new AbortController().signal,
  onLog: (line: string) => void = () => {},
): Promise<EngineResult> {
  const sql = `create temp table made as ${select};\ncopy (select * from made) to '${output}' (format parquet, per_thread_output true);\n`
  return engine.run({ name: 'batch sales', sql, inputs: [], output }, { signal, onLog })
}

describe('a job on DuckDB', () => {
  it('writes the output, _SUCCESS last, and returns its rows', async () => {
    const output = freshOutput()
    const lines: string[] = []
    const result = await run(output, 'select 1 as x from range(5)', undefined, (line) => lines.push(line))
    expect(result).toEqual({ rows: 5 })
    expect(await readdir(output)).toContain('_SUCCESS')
    expect(lines).toEqual(['statement 1 of 2 done', 'statement 2 of 2 done'])
    await expect(run(output, 'select 1 as x')).rejects.toThrow(/holds the rows of a finished run/)
  })

  it('that fails says why, leaves no _SUCCESS, and does its work when it is run again', async () => {
    const output = freshOutput()
    const failed = run(output, `select cast('x' as integer) as x`)
    await expect(failed).rejects.toBeInstanceOf(EngineFailed)
    await expect(failed).rejects.toThrow(/^batch sales failed on DuckDB: Conversion Error.*'x'/)
    // As one that was killed while it wrote.
    await mkdir(output)
    await writeFile(path.join(output, 'data_7.parquet'), 'half')
    expect(await run(output, 'select 1 as x')).toEqual({ rows: 1 })
    expect((await readdir(output)).toSorted()).toEqual(['_SUCCESS', 'data_0.parquet'])
    expect(await readdir(folder)).not.toContain(`${path.basename(output)}.unfinished`)
  })

  it('leaves alone what no run left', async () => {
    const output = freshOutput()
    await mkdir(output)
    await writeFile(path.join(output, 'data_0.parquet'), 'of somebody')
    await expect(run(output, 'select 1 as x')).rejects.toBeInstanceOf(BadUserInput)
    expect(await readdir(output)).toEqual(['data_0.parquet'])
  })

  it('ends within its statement when it is cancelled', async () => {
    const controller = new AbortController()
    const output = freshOutput()
    const endless =
      'select count(*) from range(10000000) a, range(10000000) b where a.range % 7 = b.range % 11'
    const sql = `select 1;\ncopy (${endless}) to '${output}' (format parquet, per_thread_output true);\n`
    const running = engine.run(
      { name: 'batch', sql, inputs: [], output },
      {
        signal: controller.signal,
        onLog: () => setImmediate(() => controller.abort(new Error('no longer wanted'))),
      },
    )
    await expect(running).rejects.toThrow('no longer wanted')
  })
})
