import type { ApolloServer } from '@apollo/server'
import { fastifyApolloHandler } from '@as-integrations/fastify'
import type { FastifyReply, FastifyRequest, RouteHandlerMethod } from 'fastify'
import type { AuditedDeed, GraphContext } from '../graph/context.ts'
import type { DocumentGate } from '../graph/document-gate.ts'
import type { MakeContext } from '../graph/request-context.ts'
import type { TrainingSets } from '../historical/jobs/training-sets.ts'
import type { PushEvents } from '../ingest/push/push-events.ts'
import type { PushRows } from '../ingest/push/push-rows.ts'
import type { Registry } from '../registry/registry.ts'
import { type Audit, auditedCaller } from './audit.ts'
import { requireCaller } from './authenticate.ts'

declare module 'fastify' {
  interface FastifyRequest {
    /** Of a request to /graphql, once it is executed. */
    graphContext: GraphContext | null
  }
}

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

export interface GraphqlHandlerOptions {
  readonly apollo: ApolloServer<GraphContext>
  readonly makeContext: MakeContext
  readonly documents: Pick<DocumentGate, 'admit'>
  readonly audit: Audit
}

/**
 * Requests to a started Apollo Server; the caller is known already.
 * @throws LimitExceeded, RateLimited for a document that is not even parsed.
 */
export function graphqlHandler({
  apollo,
  makeContext,
  documents,
  audit,
}: GraphqlHandlerOptions): RouteHandlerMethod {
  const handler = fastifyApolloHandler(apollo, {
    async context(request: FastifyRequest, reply: FastifyReply) {
      const caller = requireCaller(request)
      const record = (deed: AuditedDeed): void => {
        if ('refused' in deed) audit.refused(auditedCaller(request), deed.refused)
        else audit.done(auditedCaller(request), { ...deed, outcome: 'DONE' })
      }
      const context = makeContext(request.id, caller, request.payer, () => closedEarly(reply), record)
      request.graphContext = context
      return context
    },
  })
  return async function (request, reply) {
    const text = documentOf(request)
    if (text !== null) documents.admit(text, request.payer)
    const body = await handler.call(this, request, reply)
    const apart = request.graphContext?.reply.apart ?? null
    // What of the request was refused for its head is refused still.
    if (apart === null || reply.statusCode !== 200) return body
    reply.code(apart.status).removeHeader('content-length')
    const { buffer, byteOffset, byteLength } = apart.body
    return Buffer.from(buffer, byteOffset, byteLength)
  }
}

/** Null: none that Apollo would read. */
function documentOf({ method, body, query }: FastifyRequest): string | null {
  const asked = method === 'GET' ? query : body
  if (typeof asked !== 'object' || asked === null || !('query' in asked)) return null
  return typeof asked.query === 'string' ? asked.query : null
}

/** Aborts when the caller goes away before its answer is written. Made only for requests that read the offline store. */
function closedEarly(reply: FastifyReply): AbortSignal {
  const controller = new AbortController()
  const { raw } = reply
  if (raw.destroyed) controller.abort()
  else raw.once('close', () => raw.writableFinished || controller.abort())
  return controller.signal
}
