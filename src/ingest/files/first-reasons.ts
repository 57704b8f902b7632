import type { JudgedBatch } from './judge-rows.ts'

/** Why rows of a file are not stored: the first of each kind of reason, and how many are like it. */
export interface FirstReason {
  readonly rowNumber: number
  readonly reason: string
  readonly rows: number
}

export interface ReasonCollector {
  readonly add: (judged: Pick<JudgedBatch, 'quarantined' | 'rejectedRows'>) => void
  /** In the order of their rows. */
  readonly first: () => readonly FirstReason[]
}

const maxReasons = 5

/** Collects as many as are shown; rows of further kinds are not counted. */
export function collectReasons(): ReasonCollector {
  const found = new Map<string, { rowNumber: number; reason: string; rows: number }>()
  return {
    add({ quarantined, rejectedRows }) {
      for (const { rowNumber, reason } of [...quarantined, ...rejectedRows]) {
        const likeness = likenessOf(reason)
        const known = found.get(likeness)
        if (known) known.rows += 1
        else if (found.size < maxReasons) found.set(likeness, { rowNumber, reason, rows: 1 })
      }
    },
    first: () => [...found.values()].sort((left, right) => left.rowNumber - right.rowNumber),
  }
}

/** The column and the expectation without the value. */
function likenessOf(reason: string): string {
  return reason.replace(/"(?:[^"\\]|\\.)*"/g, '"').replace(/\d+/g, '0')
}

/** A line for each, indented, to stand under what became of the file. */
export function reasonLines(reasons: readonly FirstReason[]): string {
  return reasons
    .map(({ rowNumber, reason, rows }) => {
      const others = rows === 1 ? '' : ` (${rows} rows like it)`
      return `\n  row ${rowNumber}: ${reason}${others}`
    })
    .join('')
}
