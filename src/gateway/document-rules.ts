import type { Config } from '../config/config.ts'
import type { DocumentGateOptions } from '../graph/document-gate.ts'
import { timeBudget } from '../graph/time-budget.ts'

/** An account of time holds so many seconds' worth. */
const burstSeconds = 10

/** What the settings say of documents that were not seen before. */
export function documentRules({
  documentLimits: limits,
  documentMsPerSecond: msPerSecond,
}: Pick<Config, 'documentLimits' | 'documentMsPerSecond'>): Omit<DocumentGateOptions, 'trusted'> {
  const rate = { msPerSecond, burstMs: burstSeconds * msPerSecond }
  return { limits, budget: msPerSecond === 0 ? null : timeBudget(rate, () => performance.now()) }
}
