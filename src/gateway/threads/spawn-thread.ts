import { createRequire } from 'node:module'
import { pathToFileURL } from 'node:url'
import { Worker, type WorkerOptions } from 'node:worker_threads'
import type { ThreadStart } from './thread-messages.ts'

/** An answer of the largest size, its rows and its text take half of it. */
const maxHeapMb = 1_024

/** The program of `answer-thread.ts`, as this process runs its own: built, or from the sources by tsx. */
export function spawnThread(start: ThreadStart): Worker {
  const options: WorkerOptions = { workerData: start, resourceLimits: { maxOldGenerationSizeMb: maxHeapMb } }
  if (import.meta.url.endsWith('.js'))
    return new Worker(new URL('./answer-thread.js', import.meta.url), options)
  const tsx = pathToFileURL(createRequire(import.meta.url).resolve('tsx/esm/api')).href
  const program = new URL('./answer-thread.ts', import.meta.url).href
  const code = `import('${tsx}').then(({ register }) => { register(); return import('${program}') })`
  return new Worker(code, { ...options, eval: true, execArgv: [] })
}
