/** The worlds of a thread by the version of the registry, each built when a request of it comes. */
export interface ThreadWorlds<World> {
  /** For one request, which calls `release` at its end. Rejects where the world cannot be built; tried again next time. */
  readonly hold: (version: number) => Promise<{ readonly world: World; readonly release: () => void }>
}

interface Held<World> {
  readonly built: Promise<World>
  requests: number
}

/** Those of other versions than the last that was asked for are closed when their last request has ended. */
export function threadWorlds<World extends { readonly close: () => Promise<void> }>(
  build: (version: number) => Promise<World>,
): ThreadWorlds<World> {
  const worlds = new Map<number, Held<World>>()
  let newest = 0

  function closeOthers(): void {
    for (const [version, held] of worlds) {
      if (version === newest || held.requests > 0) continue
      worlds.delete(version)
      void held.built.then((world) => world.close())
    }
  }

  return {
    async hold(version) {
      newest = Math.max(newest, version)
      const held = worlds.get(version) ?? { built: build(version), requests: 0 }
      worlds.set(version, held)
      held.requests += 1
      const release = (): void => {
        held.requests -= 1
        closeOthers()
      }
      try {
        return { world: await held.built, release }
      } catch (error) {
        worlds.delete(version)
        throw error
      }
    },
  }
}
