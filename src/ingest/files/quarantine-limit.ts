import { BadUserInput } from '../../errors.ts'

/** How many rows of a file may be quarantined; one more, and nothing of the file is stored. */
export type QuarantineLimit =
  | { readonly kind: 'SHARE'; readonly share: number }
  | { readonly kind: 'COUNT'; readonly count: number }

export const defaultQuarantineLimit: QuarantineLimit = { kind: 'SHARE', share: 0.5 }

/** `10%` and `0.1` are a share of the rows, `10` is a number of them. */
export function parseQuarantineLimit(text: string): QuarantineLimit {
  const percent = /^(\d+(?:\.\d+)?)%$/.exec(text)?.[1]
  const share =
    percent === undefined ? (/^[01]?\.\d+$/.test(text) ? Number(text) : null) : Number(percent) / 100
  if (share !== null && share <= 1) return { kind: 'SHARE', share }
  if (/^\d+$/.test(text)) return { kind: 'COUNT', count: Number(text) }
  throw new BadUserInput(
    `--max-quarantined expects a share of the rows, as 10% or 0.1, or a number of them, as 100; got ${JSON.stringify(text)}`,
  )
}

export function isPastLimit(limit: QuarantineLimit, quarantined: number, read: number): boolean {
  return limit.kind === 'COUNT' ? quarantined > limit.count : quarantined > limit.share * read
}

export function describeLimit(limit: QuarantineLimit): string {
  return limit.kind === 'COUNT' ? String(limit.count) : `${limit.share * 100}% of the rows`
}
