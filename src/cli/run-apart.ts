import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process'
import { StoreFailed } from '../errors.ts'
import type { ApartWork } from '../gateway/run-guard.ts'
import type { TrainingJobApart } from '../gateway/run-training-jobs.ts'

const shownOfErrors = 2_000

/** Work of the online store's guard as commands of this program, with the settings of this process. */
export const apartWork: ApartWork = {
  materialize: (view, signal) => runCommand(['materialize', view.name], signal),
  followTiles: (signal) => runCommand(['stream', '--once'], signal),
}

/** An ended job is given back to the queue at once; one that does not end loses its lease. */
const endingMs = 10_000

/** A job's values stand in typed arrays: a young generation of the usual size would cost 40 MB and save nothing. */
export const jobFlags: readonly string[] = ['--max-semi-space-size=4']

/** `featuregraph training-set-job`, which ends when its input does: also when this process is killed. */
export const apartTrainingJob: TrainingJobApart = async ({ id, holder }, signal) => {
  const options: SpawnOptions = { stdio: ['pipe', 'ignore', 'inherit'] }
  const child = spawnCommand(['training-set-job', id, holder], options, jobFlags)
  const end = (): void => {
    child.stdin?.end()
    setTimeout(() => child.kill('SIGKILL'), endingMs).unref()
  }
  signal.addEventListener('abort', end, { once: true })
  if (signal.aborted) end()
  child.stdin?.on('error', () => {})
  await new Promise<void>((resolve, reject) => {
    child.on('error', (cause) => reject(new StoreFailed('training-set-job did not run', { cause })))
    child.on('close', (code, by) => {
      if (code === 0) resolve()
      else reject(new StoreFailed(`training-set-job ended with ${by ?? `exit code ${code}`}`))
    })
  }).finally(() => signal.removeEventListener('abort', end))
}

/** Resolves with its exit code when the command has ended; what it prints is printed here. */
export async function runShown(args: readonly string[]): Promise<number | null> {
  const child = spawnCommand(args, { stdio: ['ignore', 'inherit', 'inherit'] })
  return await new Promise((resolve, reject) => {
    child.on('error', (cause) => reject(new StoreFailed(`${args.join(' ')} did not run`, { cause })))
    child.on('close', resolve)
  })
}

/** This program, as this process runs it. */
function spawnCommand(
  args: readonly string[],
  options: SpawnOptions,
  flags: readonly string[] = [],
): ChildProcess {
  const [, program = ''] = process.argv
  return spawn(process.execPath, [...process.execArgv, ...flags, program, ...args], options)
}

/** Resolves when the command has succeeded. @throws StoreFailed with what it said where it fails. */
async function runCommand(args: readonly string[], signal: AbortSignal): Promise<void> {
  const child = spawnCommand(args, { stdio: ['ignore', 'ignore', 'pipe'], signal })
  let errors = ''
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    errors = (errors + text).slice(-shownOfErrors)
  })
  await new Promise<void>((resolve, reject) => {
    child.on('error', (cause) => reject(new StoreFailed(`${args.join(' ')} did not run`, { cause })))
    child.on('close', (code) => {
      if (code === 0) resolve()
      else reject(new StoreFailed(`${args.join(' ')} failed: ${errors.trim() || `exit code ${code}`}`))
    })
  })
}
