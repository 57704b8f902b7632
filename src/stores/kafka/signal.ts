/** Wakes those that wait for something to change. A caller that is not waiting misses it: check the state first. */
export interface Signal {
  /** Resolves at the next `raise`, or after `ms`. */
  readonly wait: (ms: number) => Promise<void>
  readonly raise: () => void
}

export function signal(): Signal {
  const waiting = new Set<() => void>()
  return {
    wait: async (ms) => {
      await new Promise<void>((resolve) => {
        const wake = (): void => {
          clearTimeout(timer)
          waiting.delete(wake)
          resolve()
        }
        const timer = setTimeout(wake, ms)
        waiting.add(wake)
      })
    },
    raise: () => {
      for (const wake of [...waiting]) wake()
    },
  }
}
