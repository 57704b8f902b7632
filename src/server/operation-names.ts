import { LRUCache } from 'lru-cache'

export interface OperationNames {
  /** The label to count an operation under: its name, `anonymous`, or `other`. */
  readonly label: (name: string | null) => string
}

export interface OperationNamesOptions {
  /** Always under their own names. */
  readonly trusted: readonly string[]
  /** Others that are under their own names at once. */
  readonly max: number
  /** Nothing is counted under this name any more, unless it comes back. */
  readonly onEvict: (name: string) => void
}

const longestName = 100
/** Names that are not listed, whose uses are counted all the same. */
const maxWaiting = 1_000
/** After so many uses all counts are halved, so that what is used no more gives its place up. */
const halvedAfter = 10_000

/**
 * Callers choose names, so their number and length are bounded. A name takes a free place at once, later that of the least
 * used, once it is used more: names that come once each take no place of one that is in use.
 */
export function operationNames({ trusted, max, onEvict }: OperationNamesOptions): OperationNames {
  const always = new Set(trusted)
  const listed = new Map<string, number>()
  const waiting = new LRUCache<string, number>({ max: maxWaiting })
  let uses = 0

  function halve(): void {
    uses = 0
    for (const [name, count] of listed) listed.set(name, count / 2)
    for (const [name, count] of [...waiting.entries()]) waiting.set(name, count / 2)
  }

  function takePlace(name: string): boolean {
    const count = (waiting.get(name) ?? 0) + 1
    if (listed.size >= max) {
      const [least, fewest] = leastUsed(listed)
      if (count <= fewest) {
        waiting.set(name, count)
        return false
      }
      listed.delete(least)
      waiting.set(least, fewest)
      onEvict(least)
    }
    waiting.delete(name)
    listed.set(name, count)
    return true
  }

  return {
    label(name) {
      if (name === null) return 'anonymous'
      if (always.has(name)) return name
      if (name.length > longestName) return 'other'
      uses += 1
      if (uses >= halvedAfter) halve()
      const count = listed.get(name)
      if (count === undefined) return takePlace(name) ? name : 'other'
      listed.set(name, count + 1)
      return name
    },
  }
}

function leastUsed(listed: ReadonlyMap<string, number>): [name: string, count: number] {
  let found: [string, number] = ['', Number.POSITIVE_INFINITY]
  for (const entry of listed) if (entry[1] < found[1]) found = entry
  return found
}
