import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { BadUserInput, EngineFailed } from '../../../src/errors.ts'
import type { EngineResult } from '../../../src/stores/job-engine.ts'
import { sparkEngine } from '../../../src/stores/spark/spark-engine.ts'
import { splitCommand } from '../../../src/stores/spark/split-command.ts'
import { waitUntil } from '../../services/wait-until.ts'

const fake = fileURLToPath(new URL('./fake-submit.js', import.meta.url))
const sql = "select ';';\nselect 2;\n"
let folder: string
let number = 0

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'featuregraph-submit-'))
})
afterAll(async () => {
  await rm(folder, { recursive: true, force: true })
})

interface Submit {
  readonly notes: string
  readonly output: string
  readonly run: (options?: {
    readonly signal?: AbortSignal
    readonly onLog?: (line: string) => void
  }) => Promise<EngineResult>
  readonly note: (name: string) => Promise<string>
}

/** A job by a submit that does the one thing. */
async function submitThat(what: string, more = ''): Promise<Submit> {
  number += 1
  const notes = path.join(folder, `notes ${number}`)
  const output = path.join(folder, `rows ${number}`)
  await mkdir(notes)
  const submit = `${process.execPath} '${fake}' ${what} "${notes}" --master 'local[*]' ${more}`
  return {
    notes,
    output,
    run: ({ signal = new AbortController().signal, onLog = () => {} } = {}) =>
      sparkEngine({ submit, graceMs: 100 }).run(
        { name: 'featuregraph batch sales', sql, inputs: [], output },
        { signal, onLog },
      ),
    note: (name) => readFile(path.join(notes, name), 'utf8'),
  }
}

async function failureOf(running: Promise<EngineResult>): Promise<Error> {
  return await running.then(
    () => {
      throw new Error('it has not failed')
    },
    (error: Error) => error,
  )
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

describe('a job on Spark', () => {
  it('is submitted with its script and the driver behind the words of the command, and returns the rows that were reported', async () => {
    const submit = await submitThat('work')
    const lines: string[] = []
    expect(await submit.run({ onLog: (line) => lines.push(line) })).toEqual({ rows: 7 })
    expect(lines.toSorted()).toEqual(['3 of 4 tasks done', 'INFO SparkContext: Running'])
    expect(await submit.note('script')).toBe(sql)
    expect(await submit.note('driver')).toContain('SparkSession.builder')
    const [master, local, files, script, ...rest] = JSON.parse(await submit.note('arguments'))
    expect([master, local, files]).toEqual(['--master', 'local[*]', '--files'])
    expect(rest).toEqual([
      ...['--name', 'featuregraph batch sales'],
      ...[expect.stringMatching(/\/run-spark\.py$/), script, submit.output],
    ])
  })

  it('ships its script beside the files that the command ships', async () => {
    const submit = await submitThat('work', '--files log4j.properties')
    await submit.run()
    const words: string[] = JSON.parse(await submit.note('arguments'))
    expect(words.filter((word) => word === '--files')).toHaveLength(1)
    expect(words[words.indexOf('--files') + 1]).toMatch(/^log4j\.properties,.*\/job\.sql$/)
  })

  it('that a cluster drives is done where its output says so, and its rows are not known', async () => {
    const submit = await submitThat('elsewhere')
    expect(await submit.run()).toEqual({ rows: null })
  })

  it('is not done when the submit does not wait for it, and the error says how it waits', async () => {
    const error = await failureOf((await submitThat('leave')).run())
    expect(error).toBeInstanceOf(EngineFailed)
    expect(error.message).toMatch(
      /holds no _SUCCESS.*spark\.yarn\.submit\.waitAppCompletion=true.*application_1_0001/s,
    )
  })

  it('that fails shows the exit code and the last lines of its log, not all', async () => {
    const error = await failureOf((await submitThat('fail')).run())
    expect(error).toBeInstanceOf(EngineFailed)
    expect(error.message).toMatch(
      /exited with code 1; its last lines:\nline 32 of a stack\n.*\nCaused by: \[CAST/s,
    )
  })

  it('says what to install or to set where there is no such command', async () => {
    const { output } = await submitThat('work')
    const job = { name: 'batch', sql, inputs: [], output }
    const error = await failureOf(
      sparkEngine({ submit: 'no-such-submit --master yarn' }).run(job, {
        signal: new AbortController().signal,
        onLog: () => {},
      }),
    )
    expect(error).toBeInstanceOf(EngineFailed)
    expect(error.message).toMatch(
      /^no-such-submit cannot be run.*pip install pyspark.*FEATUREGRAPH_SPARK_SUBMIT/,
    )
  })

  it('is refused by a command line with an open quote', async () => {
    const submit = await submitThat('work', "'oops")
    expect(await failureOf(submit.run())).toBeInstanceOf(BadUserInput)
  })

  it('is refused where the driver finds another output, with its reason', async () => {
    const error = await failureOf((await submitThat('refuse')).run())
    expect(error).toBeInstanceOf(BadUserInput)
    expect(error.message).toBe('hdfs:/rows holds files that no run left')
  })

  it('is refused where a finished run or anything else stands, and nothing is started', async () => {
    const submit = await submitThat('work')
    await submit.run()
    await rm(path.join(submit.notes, 'arguments'))
    expect((await failureOf(submit.run())).message).toMatch(/holds the rows of a finished run/)
    await rm(path.join(submit.output, '_SUCCESS'))
    expect((await failureOf(submit.run())).message).toMatch(/holds files that no run left/)
    await expect(submit.note('arguments')).rejects.toThrow('ENOENT')
    // What a run that was ended has left is another matter.
    await writeFile(`${submit.output}.unfinished`, '')
    expect(await submit.run()).toEqual({ rows: 7 })
  })

  it('is taken down with all that it started when it is cancelled, also what does not listen', async () => {
    const submit = await submitThat('stay')
    const controller = new AbortController()
    const staying = submit.run({
      signal: controller.signal,
      onLog: (line) => line.endsWith('staying') && controller.abort(new Error('no longer wanted')),
    })
    expect((await failureOf(staying)).message).toBe('no longer wanted')
    const pids: number[] = JSON.parse(await submit.note('pids'))
    expect(await submit.note('terminated')).toBe('')
    await waitUntil(() => !pids.some(isRunning), 'the submit and what it started have ended')
  })
})

describe('a command line is split as a shell does it', () => {
  it.each([
    ['spark-submit --master local[*]', ['spark-submit', '--master', 'local[*]']],
    [`a 'b c'"d e"  f`, ['a', 'b cd e', 'f']],
    [`a "" 'x\\y' "x\\"y" x\\ y`, ['a', '', 'x\\y', 'x"y', 'x y']],
    ['  ', []],
    ['$HOME *', ['$HOME', '*']],
    [`a 'b`, null],
  ])('%s', (line, words) => {
    expect(splitCommand(line)).toEqual(words)
  })
})
