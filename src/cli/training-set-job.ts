import { setPriority } from 'node:os'
import { readConfig, readEnvironment } from '../config/read-config.ts'
import { makeTrainingJob } from '../gateway/training-job.ts'
import { commandLog } from './command-log.ts'
import { onStop } from './stop-signal.ts'

/** Online answers go first. */
const niceness = 10

/**
 * `featuregraph training-set-job`: what a gateway starts for each job. It ends with the gateway, whose end closes its input,
 * and gives the job back to the queue then.
 */
export async function trainingSetJob(id: string, holder: string): Promise<void> {
  setPriority(niceness)
  const ending = new AbortController()
  process.stdin.on('end', () => ending.abort()).resume()
  onStop(() => ending.abort())
  const config = readConfig(readEnvironment())
  const log = commandLog(config.logLevel)
  await makeTrainingJob(config, { id, holder }, { signal: ending.signal, log }).finally(() =>
    process.stdin.destroy(),
  )
}
