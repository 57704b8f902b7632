import { LRUCache } from 'lru-cache'
import { LimitExceeded, RateLimited } from '../errors.ts'
import { type DocumentLimits, limitMessage } from './document-limits.ts'
import { scanDocument } from './scan-document.ts'
import type { TimeBudget } from './time-budget.ts'

/** What stands before the parser, for all versions of the registry. The payer is an API key, or an address without one. */
export interface DocumentGate {
  /**
   * A document that was valid before passes, and a trusted one. Any other is held to the limits, and to what its payer has
   * left of the time for such documents. @throws LimitExceeded; RateLimited.
   */
  readonly admit: (text: string, payer: string) => void
  /** Time that went into a document which was not known. */
  readonly spent: (payer: string, ms: number) => void
  readonly isValid: (text: string, valid: boolean) => void
}

export interface DocumentGateOptions {
  readonly limits: DocumentLimits
  readonly trusted: ReadonlySet<string>
  /** Null: time is not counted. */
  readonly budget: TimeBudget | null
}

/** Of texts that were valid, at two bytes a character; those that were used last. */
const knownBytes = 16 * 1_048_576
const bytesOf = (text: string): number => 2 * text.length + 64

export function documentGate({ limits, trusted, budget }: DocumentGateOptions): DocumentGate {
  const known = new LRUCache<string, true>({
    maxSize: knownBytes,
    sizeCalculation: (_, text) => bytesOf(text),
  })
  const spent = (payer: string, ms: number): void => budget?.spend(payer, ms)
  return {
    admit(text, payer) {
      if (known.get(text) || trusted.has(text)) return
      const waitMs = budget?.waitMs(payer) ?? 0
      if (waitMs > 0)
        throw new RateLimited(
          'the time for documents that were not sent before is used up (FEATUREGRAPH_DOCUMENT_MS_PER_SECOND); put values into variables, so that the text stays the same, or send it again later',
          Math.ceil(waitMs / 1_000),
        )
      const started = performance.now()
      const over = scanDocument(text, limits)
      spent(payer, performance.now() - started)
      if (over !== null) throw new LimitExceeded(limitMessage(over, limits))
    },
    spent,
    isValid(text, valid) {
      if (valid) known.set(text, true)
      else known.delete(text)
    },
  }
}
