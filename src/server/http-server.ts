import type { Socket } from 'node:net'
import cors from '@fastify/cors'
import Fastify, {
  type FastifyBaseLogger,
  type FastifyError,
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
  type onRequestHookHandler,
} from 'fastify'
import type { Clock } from '../definitions/timestamp.ts'
import type { FeaturegraphError } from '../errors.ts'
import type { Caller } from '../graph/context.ts'
import { requireRight } from '../graph/require-right.ts'
import type { ExampleKeys } from '../stores/example-keys.ts'
import type { Admission } from './admission/admission.ts'
import { holdTurn } from './admission/hold-turn.ts'
import type { Rates } from './admission/rates.ts'
import { addAnswerHeaders } from './answer-headers.ts'
import { type Audit, auditedCaller } from './audit.ts'
import { type Authenticate, payerOf, requireCaller } from './authenticate.ts'
import { compressAnswer, isCompressible } from './compress-answer.ts'
import { refuseOtherCharsets } from './content-type.ts'
import { decompressBody } from './decompress-body.ts'
import { eventsRoute } from './events-route.ts'
import { FailuresOnly } from './failures-only.ts'
import { forgeableMessage, isForgeable } from './forgeable.ts'
import { graphiqlRoutes } from './graphiql/static-files.ts'
import { tabsRoute } from './graphiql/tabs-route.ts'
import { readGraphqlBodies, refuseDeepQuery } from './graphql-body.ts'
import { headerFault } from './header-bounds.ts'
import { refuse, refuseUnreadable, sendHttpError } from './http-error.ts'
import type { HoldWorld } from './http-world.ts'
import type { Metrics } from './metrics.ts'
import { pushRoute } from './push-route.ts'
import { type ReadyzOptions, readyz } from './readyz.ts'
import { requestIds } from './request-id.ts'
import { RequestLog } from './request-log.ts'
import { spinesRoute } from './spines-route.ts'
import { type TrainingFilesAccess, trainingSetsRoute } from './training-sets-route.ts'

export interface HttpServerOptions extends ReadyzOptions {
  readonly authenticate: Authenticate
  /** What answers a request, from its beginning to its end. */
  readonly hold: HoldWorld
  readonly metrics: Metrics
  readonly audit: Audit
  /** Null: there is no GraphiQL. */
  readonly graphiqlFolder: string | null
  /** False: another port has `/metrics`. */
  readonly hasMetrics: boolean
  readonly maxConnections: number
  /** For GraphiQL's first tabs. */
  readonly exampleKeys: ExampleKeys
  /** Null: the settings name no folder for spines and training sets. */
  readonly trainingFiles: TrainingFilesAccess | null
  readonly clock: Clock
  readonly rates: Pick<Rates, 'request'>
  readonly admission: Pick<Admission, 'enter' | 'enterPatiently'>
  readonly maxBodyBytes: number
  /** Origins whose pages may read answers; `*` for any; none: there are no such headers. */
  readonly corsOrigins: readonly string[]
  readonly log: FastifyBaseLogger
}

declare module 'fastify' {
  interface FastifyRequest {
    caller: Caller | null
    /** Whom its cost is charged to. */
    payer: string
  }
}

/** A browser asks again for leave after so long. */
const preflightSeconds = 600

/** GraphiQL at `/`, GraphQL at `/graphql`, and what an operator needs. Open to all: the pages, `/healthz`, `/readyz`. */
export async function createHttpServer(options: HttpServerOptions): Promise<FastifyInstance> {
  const streaming = new WeakSet<Socket>()
  const requestId = requestIds()
  const app: FastifyInstance = Fastify({
    loggerInstance: options.log,
    logController: new FailuresOnly(),
    childLoggerFactory: (log, bindings) => new RequestLog(log, bindings) as unknown as FastifyBaseLogger,
    bodyLimit: options.maxBodyBytes,
    requestTimeout: 30_000,
    // A connection that finishes its answer is closed at shutdown; one that works is waited for.
    forceCloseConnections: 'idle',
    return503OnClosing: true,
    genReqId: ({ headers }) => requestId(headers['x-request-id']),
    frameworkErrors(error, request, reply) {
      // An address that cannot be read reaches no hook.
      addAnswerHeaders(reply)
      sendHttpError(error, request, reply)
    },
    clientErrorHandler(error, socket) {
      // A push may take as long as its rows do; it minds its sender's silence itself.
      if (error.code === 'ERR_HTTP_REQUEST_TIMEOUT' && streaming.has(socket)) return
      refuseUnreadable(error, socket)
    },
  })
  app.removeContentTypeParser('text/plain')
  app.setErrorHandler<FastifyError | FeaturegraphError>((error, request, reply) => {
    options.audit.refused(auditedCaller(request), error.code)
    sendHttpError(error, request, reply)
  })
  app.setNotFoundHandler((_request, reply) => {
    const message = 'there is nothing at this address; GraphQL is at /graphql'
    refuse(reply, { status: 404, code: 'NOT_FOUND', message })
  })
  app.decorateRequest('caller', null)
  app.decorateRequest('payer', '')
  app.decorateRequest('graphContext', null)
  // An answer that was under way when the server closes ends its connection; kept alive it would hold up the end.
  let closing = false
  const silent = silentConnections(app.server)
  app.addHook('preClose', (done) => {
    closing = true
    for (const socket of silent) socket.destroy()
    done()
  })
  app.addHook('onSend', (request, reply, payload, done) => {
    if (closing || options.isDraining()) reply.header('connection', 'close')
    addAnswerHeaders(reply)
    if (!isCompressible(reply, payload)) return done(null, payload)
    compressAnswer(request, reply, payload).then((body) => done(null, body), done)
  })
  app.addHook('onRequest', (request, _reply, done) => done(headerFault(request)))
  if (options.corsOrigins.length > 0) {
    await app.register(cors, {
      origin: [...options.corsOrigins],
      methods: ['GET', 'POST'],
      exposedHeaders: ['x-request-id'],
      // Callers show a key, never a cookie: a page needs no leave to send what the browser holds of its user.
      credentials: false,
      strictPreflight: false,
      maxAge: preflightSeconds,
    })
  }

  app.server.maxConnections = options.maxConnections
  if (options.graphiqlFolder !== null) await app.register(graphiqlRoutes(options.graphiqlFolder))
  app.get('/healthz', async () => ({ status: 'ok' }))
  app.get('/readyz', readyz(options))
  const findCaller = (request: FastifyRequest): void => {
    const { authorization, host } = request.headers
    try {
      request.caller = options.authenticate({ authorization, host })
    } finally {
      request.payer = payerOf(request.caller, request.ip)
      // Who tries keys is counted too.
      options.rates.request(request.payer)
    }
  }
  await app.register(async (pushing) => {
    pushing.addHook('onRequest', checked(findCaller))
    await pushing.register(pushRoute({ ...options, streaming }))
    await pushing.register(eventsRoute({ ...options, streaming }))
    await pushing.register(async (training) => {
      training.addHook('onRequest', holdTurn(options.admission, 'training'))
      await training.register(spinesRoute({ ...options, streaming }))
      await training.register(trainingSetsRoute(options))
    })
  })
  await app.register(async (guarded) => {
    guarded.addHook(
      'onRequest',
      checked((request) => {
        findCaller(request)
        requireRight(requireCaller(request), 'read')
        refuseOtherCharsets(request)
        refuseDeepQuery(request)
      }),
    )
    if (options.hasMetrics)
      guarded.get('/metrics', async (_request, reply) => {
        return reply.header('content-type', options.metrics.contentType).send(await options.metrics.text())
      })
    if (options.graphiqlFolder !== null) await guarded.register(tabsRoute(options))
    readGraphqlBodies(guarded)
    guarded.addHook('preParsing', (request, _reply, payload, done) => {
      if (request.headers['content-encoding'] === undefined) return done(null, payload)
      decompressBody(request, payload, options.maxBodyBytes).then((body) => done(null, body), done)
    })
    guarded.route({ method: ['GET', 'POST'], url: '/graphql', handler: graphqlHandler(options) })
  })
  app.route({
    method: ['PUT', 'PATCH', 'DELETE', 'OPTIONS'],
    url: '/graphql',
    handler: async (_request, reply) => {
      const message = 'expected POST, or GET for a query'
      return refuse(reply.header('allow', 'GET, POST'), { status: 405, code: 'BAD_REQUEST', message })
    },
  })
  return app
}

/** A hook of what throws where a request is refused; not a promise, which costs 2 µs a request and hook. */
function checked(check: (request: FastifyRequest) => void): onRequestHookHandler {
  return (request, _reply, done) => {
    try {
      check(request)
    } catch (error) {
      return done(error as Error)
    }
    done()
  }
}

function graphqlHandler({ hold, graphiqlFolder }: HttpServerOptions) {
  return function (this: FastifyInstance, request: FastifyRequest, reply: FastifyReply) {
    // Somebody has opened the address in a browser, and asks nothing yet.
    const wantsPage = request.headers.accept?.includes('text/html') === true
    if (graphiqlFolder !== null && request.method === 'GET' && request.url === '/graphql' && wantsPage)
      return reply.redirect('/')
    if (isForgeable(request))
      return refuse(reply, { status: 400, code: 'BAD_REQUEST', message: forgeableMessage })
    const { world, release } = hold()
    let answering: Promise<unknown>
    try {
      answering = world.answerGraphql.call(this, request, reply)
    } catch (error) {
      release()
      throw error
    }
    return answering.then(
      (body) => {
        release()
        const refusedEarly =
          reply.statusCode >= 400 && typeof body === 'string' && !body.includes('"requestId":')
        return refusedEarly ? withRequestId(body, request.id) : body
      },
      (error) => {
        release()
        throw error
      },
    )
  }
}

/** Apollo refuses some requests (no JSON object) before its plugins, which add the id elsewhere, are asked. */
function withRequestId(body: string, requestId: string): string {
  const answer: { readonly errors?: readonly { readonly extensions?: object }[] } = JSON.parse(body)
  const errors = answer.errors?.map((error) => ({
    ...error,
    extensions: { ...error.extensions, requestId },
  }))
  return JSON.stringify({ ...answer, errors })
}

/** Connections without a request yet, as browsers open ahead: for Node they are not idle, and wait a minute for headers. */
function silentConnections(server: FastifyInstance['server']): ReadonlySet<Socket> {
  const silent = new Set<Socket>()
  server.on('connection', (socket: Socket) => {
    silent.add(socket)
    socket.once('close', () => silent.delete(socket))
  })
  // Not by the socket's data: who listens to that takes it from Node's parser, which is then slower.
  server.on('request', ({ socket }) => silent.delete(socket))
  return silent
}
