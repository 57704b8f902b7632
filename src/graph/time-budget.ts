import { LRUCache } from 'lru-cache'

/** Time that each payer may take, so much a second; what is not taken adds up to the burst. */
export interface TimeBudget {
  /** Milliseconds until the payer may go on; 0: now. */
  readonly waitMs: (payer: string) => number
  /** Known only afterwards, so a balance can be below nothing, and is worked off. */
  readonly spend: (payer: string, ms: number) => void
}

export interface TimeBudgetOptions {
  readonly msPerSecond: number
  readonly burstMs: number
}

/** Those that spent last; a payer that is forgotten has its whole budget again. */
const maxPayers = 10_000

/** `now` in milliseconds, never back. */
export function timeBudget({ msPerSecond, burstMs }: TimeBudgetOptions, now: () => number): TimeBudget {
  const accounts = new LRUCache<string, { readonly balance: number; readonly at: number }>({ max: maxPayers })

  function balanceOf(payer: string): number {
    const account = accounts.get(payer)
    if (!account) return burstMs
    return Math.min(burstMs, account.balance + ((now() - account.at) * msPerSecond) / 1_000)
  }

  return {
    waitMs(payer) {
      const balance = balanceOf(payer)
      return balance > 0 ? 0 : (-balance * 1_000) / msPerSecond + 1
    },
    spend: (payer, ms) => accounts.set(payer, { balance: balanceOf(payer) - ms, at: now() }),
  }
}
