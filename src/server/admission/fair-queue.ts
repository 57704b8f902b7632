export interface QueueBounds {
  /** What runs at once; one caller has at most half of it. */
  readonly running: number
  /** What waits at once; one caller has at most half of it. */
  readonly waiting: number
}

/**
 * What runs and what waits of one class of work. Callers are served in turn, one of each, however much each has waiting; what
 * one caller has waiting is served in its order. Whatever may run never waits.
 */
export interface FairQueue<Item> {
  /** Takes a place to run, if there is one for this caller now. */
  readonly enter: (caller: string) => boolean
  /**
   * False: as much waits as may. `until` by the clock of `next`; null: for as long as it takes, whatever waits already, for
   * what holds its sender up.
   */
  readonly wait: (caller: string, item: Item, until: number | null) => boolean
  /** Gives a place back that the caller took. */
  readonly leave: (caller: string) => void
  /** Takes a place for the item whose turn it is; null: none may run now. What is past its time is not answered. */
  readonly next: (now: number) => Item | null
  /** Removes what is past its time. */
  readonly expire: (now: number) => readonly Item[]
  /** What went away by itself. */
  readonly remove: (caller: string, item: Item) => void
  /** When the first of what waits is past its time; null: nothing waits that ever is. */
  readonly firstUntil: () => number | null
  readonly size: () => { readonly running: number; readonly waiting: number }
}

interface Waiting<Item> {
  readonly item: Item
  readonly until: number
}

/** Half, and one where that is less. */
export function halfOf(bound: number): number {
  return Math.max(1, Math.floor(bound / 2))
}

export function fairQueue<Item>(bounds: QueueBounds): FairQueue<Item> {
  const mostRunning = halfOf(bounds.running)
  const mostWaiting = halfOf(bounds.waiting)
  const held = new Map<string, number>()
  /** By caller, in the order of their turns. */
  const lines = new Map<string, Waiting<Item>[]>()
  let running = 0
  let waiting = 0

  function enter(caller: string): boolean {
    const holds = held.get(caller) ?? 0
    if (running >= bounds.running || holds >= mostRunning) return false
    held.set(caller, holds + 1)
    running += 1
    return true
  }

  /** Keeps of each line what is wanted, in order; answers the rest. */
  function filter(isWanted: (one: Waiting<Item>, caller: string) => boolean): readonly Item[] {
    const removed: Item[] = []
    for (const [caller, line] of lines) {
      const kept = line.filter((one) => isWanted(one, caller))
      if (kept.length === line.length) continue
      removed.push(...line.filter((one) => !kept.includes(one)).map(({ item }) => item))
      // The same key keeps its turn.
      if (kept.length === 0) lines.delete(caller)
      else lines.set(caller, kept)
    }
    waiting -= removed.length
    return removed
  }

  return {
    enter,
    wait(caller, item, until) {
      const line = lines.get(caller) ?? []
      const isFull = waiting >= bounds.waiting || line.length >= mostWaiting
      if (isFull && until !== null) return false
      line.push({ item, until: until ?? Number.POSITIVE_INFINITY })
      lines.set(caller, line)
      waiting += 1
      return true
    },
    leave(caller) {
      const holds = held.get(caller) ?? 0
      if (holds === 0) return
      if (holds === 1) held.delete(caller)
      else held.set(caller, holds - 1)
      running -= 1
    },
    next(now) {
      if (running >= bounds.running) return null
      // At most two callers hold half of the class, so that the search ends at the third.
      for (const [caller, line] of lines) {
        const first = line.findIndex(({ until }) => until > now)
        if (first === -1 || !enter(caller)) continue
        const [taken] = line.splice(first, 1)
        lines.delete(caller)
        if (line.length > 0) lines.set(caller, line)
        waiting -= 1
        return taken?.item ?? null
      }
      return null
    },
    expire: (now) => filter(({ until }) => until > now),
    remove(caller, item) {
      filter((one, other) => other !== caller || one.item !== item)
    },
    firstUntil() {
      let first = Number.POSITIVE_INFINITY
      for (const line of lines.values()) for (const { until } of line) first = Math.min(first, until)
      return Number.isFinite(first) ? first : null
    },
    size: () => ({ running, waiting }),
  }
}
