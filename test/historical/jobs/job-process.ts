import { spawn } from 'node:child_process'
import { join } from 'node:path'
import type { TrainingJobApart } from '../../../src/gateway/run-training-jobs.ts'
import { repository } from '../../cli/start-command.ts'

/** Jobs as a gateway of the command line has them made: by the command, which ends with its input. */
export function jobProcess(environment: Readonly<Record<string, string>>): TrainingJobApart {
  return async ({ id, holder }, signal) => {
    const child = spawn(
      process.execPath,
      [join(repository, 'src/featuregraph.js'), 'training-set-job', id, holder],
      {
        cwd: repository,
        env: { PATH: process.env['PATH'], ...environment },
        stdio: ['pipe', 'ignore', 'inherit'],
      },
    )
    signal.addEventListener('abort', () => child.stdin.end(), { once: true })
    await new Promise<void>((resolve, reject) => {
      child.on('error', reject)
      child.on('close', (code) => (code === 0 ? resolve() : reject(new Error(`exit code ${code}`))))
    })
  }
}
