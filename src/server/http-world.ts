import { fastifyApolloHandler } from '@as-integrations/fastify'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { GraphqlServer } from '../graph/apollo-server.ts'
import type { AskingRequest, AuditedDeed, GraphContext } from '../graph/context.ts'
import type { KnownRequest } from '../graph/direct/answer-known.ts'
import type { DocumentGate } from '../graph/document-gate.ts'
import type { BeginRequest, RequestContexts } from '../graph/request-context.ts'
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
  readonly answerGraphql: (
    this: FastifyInstance,
    request: FastifyRequest,
    reply: FastifyReply,
  ) => Promise<unknown>
  readonly push: PushRows
  readonly pushEvents: PushEvents
  readonly trainingSets: TrainingSets
}

/** The world of now, for one request, which keeps it to its end, whatever is served meanwhile. */
export type HoldWorld = () => { readonly world: HttpWorld; readonly release: () => void }

export interface GraphqlHandlerOptions {
  readonly graphql: GraphqlServer
  readonly begin: BeginRequest
  readonly makeContext: RequestContexts['make']
  readonly documents: Pick<DocumentGate, 'admit'>
  readonly audit: Audit
}

const jsonType = 'application/json; charset=utf-8'

/**
 * Requests to a started Apollo Server, past it where the text is known; the caller is known already.
 * @throws LimitExceeded, RateLimited for a document that is not even parsed.
 */
export function graphqlHandler({
  graphql,
  begin,
  makeContext,
  documents,
  audit,
}: GraphqlHandlerOptions): HttpWorld['answerGraphql'] {
  const byApollo = fastifyApolloHandler(graphql.apollo, {
    async context(request: FastifyRequest, reply: FastifyReply) {
      request.graphContext ??= makeContext(asking(request, reply))
      return request.graphContext
    },
  }) as HttpWorld['answerGraphql']

  function asking(request: FastifyRequest, reply: FastifyReply): AskingRequest {
    const record = (deed: AuditedDeed): void => {
      if ('refused' in deed) audit.refused(auditedCaller(request), deed.refused)
      else audit.done(auditedCaller(request), { ...deed, outcome: 'DONE' })
    }
    return begin(request.id, requireCaller(request), request.payer, () => closedEarly(reply), record)
  }

  async function throughApollo(
    app: FastifyInstance,
    request: FastifyRequest,
    reply: FastifyReply,
  ): Promise<unknown> {
    const body = await byApollo.call(app, request, reply)
    const apart = request.graphContext?.reply.apart ?? null
    // What of the request was refused for its head is refused still.
    if (apart === null || reply.statusCode !== 200) return body
    reply.code(apart.status).removeHeader('content-length')
    const { buffer, byteOffset, byteLength } = apart.body
    return Buffer.from(buffer, byteOffset, byteLength)
  }

  return function (request, reply) {
    const asked = knownRequest(request)
    const answering = asked && graphql.answerKnown(asked, asking(request, reply))
    if (answering === null) {
      const text = documentOf(request)
      if (text !== null) documents.admit(text, request.payer)
      return throughApollo(this, request, reply)
    }
    return answering.then((answer) => {
      if ('body' in answer) {
        reply.header('content-type', jsonType)
        return answer.body
      }
      request.graphContext = answer.context
      return throughApollo(this, request, reply)
    })
  }
}

/** Null: anything unusual, which Apollo is to judge. */
function knownRequest({ method, body, headers: { accept } }: FastifyRequest): KnownRequest | null {
  if (method !== 'POST' || !isPlainObject(body)) return null
  if (accept !== undefined && accept !== '*/*' && accept !== 'application/json') return null
  const { query, operationName = null, variables = null, extensions } = body
  if (typeof query !== 'string' || extensions !== undefined) return null
  if (operationName !== null && typeof operationName !== 'string') return null
  if (variables !== null && !isPlainObject(variables)) return null
  return { text: query, operationName, variables: variables ?? noVariables }
}

const noVariables = {}

function isPlainObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
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
