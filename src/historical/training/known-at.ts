import { formatDuration, parseDuration } from '../../definitions/duration.ts'
import { formatTimestamp, type Micros, parseTimestamp } from '../../definitions/timestamp.ts'
import { BadUserInput } from '../../errors.ts'

/** As known when: all that is stored, at one moment, or for each row at its own time and a delay. */
export type KnownAt =
  | { readonly kind: 'ALL' }
  | { readonly kind: 'MOMENT'; readonly at: Micros }
  | { readonly kind: 'ROW'; readonly delayMicros: Micros }

/** `2026-11-01T00:00:00Z`, `row` or `row+5m`. @throws BadUserInput */
export function parseKnownAt(text: string): KnownAt {
  if (text === 'row') return { kind: 'ROW', delayMicros: 0 }
  const delay = text.startsWith('row+') ? parseDuration(text.slice('row+'.length)) : null
  if (delay !== null) return { kind: 'ROW', delayMicros: delay }
  const at = parseTimestamp(text)
  if (at !== null) return { kind: 'MOMENT', at }
  throw new BadUserInput(
    `--known-at expects a timestamp with an offset, row, or row and a delay as row+5m; got ${JSON.stringify(text)}`,
  )
}

/** What `parseKnownAt` reads as the same; null: all that is stored. */
export function knownAtText(knownAt: KnownAt): string | null {
  switch (knownAt.kind) {
    case 'ALL':
      return null
    case 'MOMENT':
      return formatTimestamp(knownAt.at)
    case 'ROW':
      return knownAt.delayMicros === 0 ? 'row' : `row+${formatDuration(knownAt.delayMicros)}`
  }
}

export function knownAtOf(knownAt: KnownAt, asOf: Micros): Micros | null {
  if (knownAt.kind === 'ALL') return null
  return knownAt.kind === 'MOMENT' ? knownAt.at : asOf + knownAt.delayMicros
}
