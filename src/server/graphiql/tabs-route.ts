import type { FastifyPluginAsync } from 'fastify'
import type { Clock } from '../../definitions/timestamp.ts'
import type { Registry } from '../../registry/registry.ts'
import type { ExampleKeys } from '../../stores/example-keys.ts'
import type { HoldWorld } from '../http-world.ts'
import type { ExampleTab } from './example-tab.ts'
import { exampleTabs } from './example-tabs.ts'

export interface TabsRouteOptions {
  readonly hold: HoldWorld
  readonly exampleKeys: ExampleKeys
  readonly clock: Clock
}

interface Made {
  readonly at: number
  readonly registry: Registry
  readonly tabs: Promise<readonly ExampleTab[]>
}

/** What is stored moves; many pages opened at once are no more work than one. */
const freshMs = 5_000

/**
 * GraphiQL's first tabs at `/graphiql/tabs`. They name features and keys, so it is for callers who may read: the page asks
 * for an API key where this answers 401.
 */
export function tabsRoute({ hold, exampleKeys, clock }: TabsRouteOptions): FastifyPluginAsync {
  let made: Made | null = null
  return async (app) => {
    app.get('/graphiql/tabs', async (_request, reply) => {
      const at = performance.now()
      const { world, release } = hold()
      const { registry } = world
      if (made?.registry !== registry || at - made.at > freshMs)
        made = { at, registry, tabs: exampleTabs(registry, exampleKeys, clock()) }
      const tabs = await made.tabs.finally(release)
      return reply.header('cache-control', 'no-store').send(tabs)
    })
  }
}
