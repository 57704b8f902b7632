import { execFile } from 'node:child_process'
import path from 'node:path'
import { promisify } from 'node:util'
import type { DurablePostgres } from './durable-postgres.ts'

const run = promisify(execFile)

/** Runs one command, as `\copy …`, in a psql of its own, and answers the seconds from its start to its end. */
export async function psql({ bin, url }: DurablePostgres, command: string): Promise<number> {
  const started = performance.now()
  // -X: nothing of the user's own settings.
  await run(path.join(bin, 'psql'), ['-X', '-q', '-v', 'ON_ERROR_STOP=1', '-c', command, url])
  return (performance.now() - started) / 1_000
}
