import type { Config } from '../config/config.ts'
import type { OfflineInstead } from '../graph/row-sources.ts'
import type { EndTurn } from '../graph/work.ts'

/** Of the main thread, which counts for all threads. */
export interface CountedInstead extends OfflineInstead {
  readonly takeTurn: (payer: string) => EndTurn | null
}

/**
 * What the settings say of answering from the offline store what the online store does not have. It is as-of work: `enterAsOf`
 * gives a turn of that class if there is one now.
 */
export function offlineInstead(
  config: Pick<Config, 'onlineFallback' | 'onlineVerifyMisses' | 'onlineFallbackConcurrency'>,
  enterAsOf: (payer: string) => EndTurn | null,
): CountedInstead {
  const { onlineFallback, onlineVerifyMisses, onlineFallbackConcurrency } = config
  let running = 0
  return {
    forUnavailable: onlineFallback,
    forMisses: onlineVerifyMisses,
    takeTurn(payer) {
      const end = running >= onlineFallbackConcurrency ? null : enterAsOf(payer)
      if (end === null) return null
      running += 1
      return () => {
        running -= 1
        end()
      }
    },
  }
}
