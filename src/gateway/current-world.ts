/** What answers now, and what answered before and still has requests. */
export interface CurrentWorld<World> {
  readonly get: () => World
  /** For one request, which calls `release` at its end, once or more often. */
  readonly hold: () => { readonly world: World; readonly release: () => void }
  /** Requests get it from now on; the one before is closed when its last request has ended. */
  readonly swap: (next: World) => void
  /** Closes all, also those with requests: for when none can come any more. */
  readonly close: () => Promise<void>
}

interface Held<World> {
  readonly world: World
  requests: number
  isReplaced: boolean
}

export function currentWorld<World extends { readonly close: () => Promise<void> }>(
  first: World,
): CurrentWorld<World> {
  const open = new Set<Held<World>>()
  const closing = new Set<Promise<void>>()
  let current = enter(first)

  function enter(world: World): Held<World> {
    const held = { world, requests: 0, isReplaced: false }
    open.add(held)
    return held
  }

  function close(held: Held<World>): void {
    if (!open.delete(held)) return
    const done = held.world.close().finally(() => closing.delete(done))
    closing.add(done)
  }

  return {
    get: () => current.world,
    hold() {
      const held = current
      held.requests += 1
      let isReleased = false
      return {
        world: held.world,
        release() {
          if (isReleased) return
          isReleased = true
          held.requests -= 1
          if (held.isReplaced && held.requests === 0) close(held)
        },
      }
    },
    swap(next) {
      const before = current
      current = enter(next)
      before.isReplaced = true
      if (before.requests === 0) close(before)
    },
    async close() {
      for (const held of open) close(held)
      await Promise.all(closing)
    },
  }
}
