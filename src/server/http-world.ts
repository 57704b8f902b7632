import type { ApolloServer } from '@apollo/server'
import { fastifyApolloHandler } from '@as-integrations/fastify'
import type { FastifyReply, FastifyRequest, RouteHandlerMethod } from 'fastify'
import type { Caller, GraphContext } from '../graph/context.ts'
import type { TrainingSets } from '../historical/jobs/training-sets.ts'
import type { PushEvents } from '../ingest/push/push-events.ts'
import type { PushRows } from '../ingest/push/push-rows.ts'
import type { Registry } from '../registry/registry.ts'
import { requireCaller } from './authenticate.ts'

/** What answers requests: everything of one version of the registry. */
export interface HttpWorld {
  readonly registry: Registry
  readonly answerGraphql: RouteHandlerMethod
  readonly push: PushRows
  readonly pushEvents: PushEvents
  readonly trainingSets: TrainingSets
}

/** The world of now, for one request, which keeps it to its end, whatever is served meanwhile. */
export type HoldWorld = () => { readonly world: HttpWorld; readonly release: () => void }

/** Requests to a started Apollo Server; the caller is known already. */
export function graphqlHandler(
  apollo: ApolloServer<GraphContext>,
  makeContext: (requestId: string, caller: Caller, signal: () => AbortSignal) => GraphContext,
): RouteHandlerMethod {
  return fastifyApolloHandler(apollo, {
    context: async (request: FastifyRequest, reply: FastifyReply) =>
      makeContext(request.id, requireCaller(request), () => closedEarly(reply)),
  })
}

/** Aborts when the caller goes away before its answer is written. Made only for requests that read the offline store. */
function closedEarly(reply: FastifyReply): AbortSignal {
  const controller = new AbortController()
  const { raw } = reply
  if (raw.destroyed) controller.abort()
  else raw.once('close', () => raw.writableFinished || controller.abort())
  return controller.signal
}
