import type { Config } from '../config.ts'
import type { OfflineInstead } from '../graph/row-sources.ts'

/** What the settings say of answering from the offline store what the online store does not have. */
export function offlineInstead(
  config: Pick<Config, 'onlineFallback' | 'onlineVerifyMisses' | 'onlineFallbackConcurrency'>,
): OfflineInstead {
  const { onlineFallback, onlineVerifyMisses, onlineFallbackConcurrency } = config
  let running = 0
  return {
    forUnavailable: onlineFallback,
    forMisses: onlineVerifyMisses,
    takeTurn() {
      if (running >= onlineFallbackConcurrency) return null
      running += 1
      return () => {
        running -= 1
      }
    },
  }
}
