import type { Config } from '../config.ts'
import { NotAvailable } from '../errors.ts'
import type { JobEngine } from '../stores/job-engine.ts'

export type EngineName = JobEngine['name']

/** The engine of that name by the settings; nothing is started. */
export function openEngine(name: EngineName, _config: Pick<Config, 'lake'>): JobEngine {
  throw new NotAvailable(`the engine ${name} cannot be had yet`)
}
