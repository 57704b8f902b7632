import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { BadUserInput, EngineFailed, errorCode } from '../../errors.ts'
import { checkOutput, hasSucceeded, isLocal } from '../engine-run/output-folder.ts'
import type { EngineJob, EngineOptions, JobEngine } from '../job-engine.ts'
import { type DriverReport, readReport } from './driver-report.ts'
import { splitCommand } from './split-command.ts'

export interface SparkEngineOptions {
  /** The command that submits, as `spark-submit --master local[*]`; it is given options of the job and the driver. */
  readonly submit: string
  /** For Spark to take its files and its application down when a job is cancelled; then it is killed. */
  readonly graceMs?: number
}

/** In the package beside the compiled files, since Spark takes it as a file. */
const driver = fileURLToPath(new URL('../../../src/stores/spark/run-spark.py', import.meta.url))
const usualGraceMs = 10_000
const shownLines = 20

/** By a child process that submits the script: whatever `spark-submit` reaches, runs it. */
export function sparkEngine({ submit, graceMs = usualGraceMs }: SparkEngineOptions): JobEngine {
  return {
    name: 'spark',
    async run(job, options) {
      options.signal.throwIfAborted()
      if (isLocal(job.output)) await checkOutput(job.output)
      const folder = await mkdtemp(path.join(tmpdir(), 'featuregraph-spark-'))
      try {
        const script = path.join(folder, 'job.sql')
        await writeFile(script, job.sql)
        return await judge(job, await submitted(commandOf(submit, job, script), graceMs, options), options)
      } finally {
        await rm(folder, { recursive: true, force: true })
      }
    },
  }
}

/** The script goes with the driver, beside files that the command ships already. */
function commandOf(submit: string, { name, output }: EngineJob, script: string): readonly string[] {
  const words = splitCommand(submit)
  if (words === null || words.length === 0)
    throw new BadUserInput(
      `FEATUREGRAPH_SPARK_SUBMIT is no command line: expected one as spark-submit --master local[*], with every quote closed; ${JSON.stringify(submit)} came`,
    )
  const files = words.indexOf('--files')
  const shipped =
    files < 0
      ? [...words, '--files', script]
      : words.map((word, index) => (index === files + 1 ? `${word},${script}` : word))
  return [...shipped, '--name', name, driver, script, output]
}

interface Ended {
  readonly command: string
  readonly code: number | null
  readonly endedBy: NodeJS.Signals | null
  readonly report: DriverReport | null
  readonly lastLines: readonly string[]
}

async function submitted(
  [command = '', ...words]: readonly string[],
  graceMs: number,
  { signal, onLog }: EngineOptions,
): Promise<Ended> {
  const child = spawn(command, words, { detached: true, stdio: ['ignore', 'pipe', 'pipe'] })
  const lastLines: string[] = []
  let report: DriverReport | null = null
  const take = (line: string): void => {
    const found = readReport(line)
    if (found !== null) {
      report = found
      return
    }
    lastLines.push(line)
    if (lastLines.length > shownLines) lastLines.shift()
    onLog(line)
  }
  const read = Promise.all([linesOf(child.stdout, take), linesOf(child.stderr, take)])
  const end = endWith(child, signal, graceMs)
  try {
    const { code, endedBy } = await new Promise<Pick<Ended, 'code' | 'endedBy'>>((resolve, reject) => {
      child.once('error', reject)
      child.once('exit', (code, endedBy) => resolve({ code, endedBy }))
    })
    await read
    return { command, code, endedBy, report, lastLines }
  } catch (error) {
    if (errorCode(error) === 'ENOENT' || errorCode(error) === 'EACCES')
      throw new EngineFailed(
        `${command} cannot be run: install Spark (\`pip install pyspark\`, with Java 17), or set FEATUREGRAPH_SPARK_SUBMIT to the command that submits to your cluster`,
      )
    throw error
  } finally {
    end()
  }
}

async function linesOf(stream: Readable, take: (line: string) => void): Promise<void> {
  for await (const line of createInterface({ input: stream })) take(line)
}

/** Ends the child and what it started, its process group, with the signal or with this process. */
function endWith(child: ChildProcess, signal: AbortSignal, graceMs: number): () => void {
  const kill = (name: NodeJS.Signals): void => {
    if (child.pid === undefined) return
    try {
      process.kill(-child.pid, name)
    } catch (error) {
      if (errorCode(error) !== 'ESRCH') throw error
    }
  }
  let killing: NodeJS.Timeout | undefined
  const cancel = (): void => {
    kill('SIGTERM')
    killing = setTimeout(() => kill('SIGKILL'), graceMs)
  }
  const leave = (): void => kill('SIGTERM')
  signal.addEventListener('abort', cancel)
  process.once('exit', leave)
  if (signal.aborted) cancel()
  return () => {
    signal.removeEventListener('abort', cancel)
    process.off('exit', leave)
    clearTimeout(killing)
  }
}

async function judge(
  { name, output }: EngineJob,
  { command, code, endedBy, report, lastLines }: Ended,
  { signal, onLog }: EngineOptions,
): Promise<{ readonly rows: number | null }> {
  signal.throwIfAborted()
  if (report?.kind === 'REFUSED') throw new BadUserInput(report.reason)
  const shown = lastLines.length === 0 ? 'it logged nothing' : `its last lines:\n${lastLines.join('\n')}`
  if (code !== 0) {
    const how = endedBy === null ? `exited with code ${code}` : `was ended by ${endedBy}`
    throw new EngineFailed(`${name} failed on Spark: ${command} ${how}; ${shown}`)
  }
  if (isLocal(output) && !(await hasSucceeded(output)))
    throw new EngineFailed(
      `${name} is not done: ${command} exited, and ${output} holds no _SUCCESS. A submit to a cluster has to wait for the job's end: --conf spark.yarn.submit.waitAppCompletion=true on YARN, --conf spark.kubernetes.submission.waitAppCompletion=true on Kubernetes; and the output has to be where this process reads it; ${shown}`,
    )
  if (report === null)
    onLog(`${command} exited without the driver's report, as from a cluster that runs the driver itself`)
  return { rows: report?.rows ?? null }
}
