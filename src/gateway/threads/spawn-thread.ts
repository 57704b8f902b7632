import { Worker } from 'node:worker_threads'
import type { ThreadStart } from './thread-messages.ts'

/** An answer of the largest size, with its rows and its text, takes less than half of it. */
const maxHeapMb = 1_024

/** The program of `answer-thread.ts`, as this process runs its own: built, or from the sources. */
export function spawnThread(start: ThreadStart): Worker {
  const isBuilt = import.meta.url.endsWith('.js')
  return new Worker(new URL(isBuilt ? './answer-thread.js' : './start-from-sources.js', import.meta.url), {
    workerData: start,
    resourceLimits: { maxOldGenerationSizeMb: maxHeapMb },
    ...(isBuilt ? {} : { execArgv: [] }),
  })
}
