import type { Config } from '../config/config.ts'
import { duckDbEngine } from '../stores/duckdb/duckdb-engine.ts'
import type { JobEngine } from '../stores/job-engine.ts'
import { sparkEngine } from '../stores/spark/spark-engine.ts'

export type EngineName = JobEngine['name']

/** The engine of that name by the settings; nothing is started. */
export function openEngine(
  name: EngineName,
  { duckDbMemory, lake, sparkSubmit }: Pick<Config, 'duckDbMemory' | 'lake' | 'sparkSubmit'>,
): JobEngine {
  return name === 'spark'
    ? sparkEngine({ submit: sparkSubmit })
    : duckDbEngine({ memoryLimit: duckDbMemory, lake })
}
