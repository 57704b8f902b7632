import type { Config } from '../../config/config.ts'
import type { WorkClass } from '../../graph/work.ts'
import type { ClassBounds } from './admission.ts'

/** Nobody who asks for rows of now waits longer; the dearer classes wait for what statements take. */
const waitMs = { short: 2_000, long: 30_000 } as const
const waiting = { many: 2_048, few: 256 } as const

/** What the settings say of each class; `threads`: those that answer large reads. */
export function classBounds(
  config: Pick<Config, 'onlineConcurrency' | 'asOfConcurrency' | 'ingestionConcurrency'>,
  threads: number,
): Readonly<Record<WorkClass, ClassBounds>> {
  const few = (running: number): ClassBounds => ({ running, waiting: waiting.few, waitMs: waitMs.long })
  return {
    online: { running: config.onlineConcurrency, waiting: waiting.many, waitMs: waitMs.short },
    catalogue: few(catalogueRunning),
    // Each keeps a thread busy, and its memory.
    large: few(Math.max(1, threads)),
    ingestion: few(config.ingestionConcurrency),
    asOf: few(config.asOfConcurrency),
    training: few(trainingRunning),
  }
}

const catalogueRunning = 16
const trainingRunning = 32
