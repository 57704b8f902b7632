import type { FastifyPluginAsync } from 'fastify'
import type { Clock } from '../../definitions/timestamp.ts'
import type { Registry } from '../../registry/registry.ts'
import type { ExampleKeys } from '../../stores/example-keys.ts'
import type { ExampleTab } from './example-tab.ts'
import { exampleTabs } from './example-tabs.ts'

export interface TabsRouteOptions {
  readonly registry: Registry
  readonly exampleKeys: ExampleKeys
  readonly clock: Clock
}

/** What is stored moves; many pages opened at once are no more work than one. */
const freshMs = 5_000

/**
 * GraphiQL's first tabs at `/graphiql/tabs`. They name features and keys, so it is for callers who may read: the page asks
 * for an API key where this answers 401.
 */
export function tabsRoute({ registry, exampleKeys, clock }: TabsRouteOptions): FastifyPluginAsync {
  let made: { readonly at: number; readonly tabs: Promise<readonly ExampleTab[]> } | null = null
  return async (app) => {
    app.get('/graphiql/tabs', async (_request, reply) => {
      const at = performance.now()
      if (made === null || at - made.at > freshMs)
        made = { at, tabs: exampleTabs(registry, exampleKeys, clock()) }
      return reply.header('cache-control', 'no-store').send(await made.tabs)
    })
  }
}
