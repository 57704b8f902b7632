import { ApolloServer, type ApolloServerOptions, type GraphQLResponse, HeaderMap } from '@apollo/server'
import {
  ApolloServerPluginCacheControlDisabled,
  ApolloServerPluginLandingPageDisabled,
} from '@apollo/server/plugin/disabled'
import type { GatewayExecutor, GatewayInterface } from '@apollo/server-gateway-interface'
import type { ExecutionResult, GraphQLSchema } from 'graphql'
import { catalogueNesting } from './catalogue-nesting.ts'
import type { AskingRequest, GraphContext } from './context.ts'
import { type AnswerKnown, type KnownAnswer, knownAnswerer } from './direct/answer-known.ts'
import type { DocumentGate } from './document-gate.ts'
import { formatError, maxDocumentErrors, maxSelections } from './graphql-error.ts'
import { type KnownOperations, knownOperations } from './known-operations.ts'
import { type Execute, type ExecuteOptions, operationExecutor } from './operation-executor.ts'
import type { RequestContexts } from './request-context.ts'

type DocumentCosts = Pick<DocumentGate, 'spent' | 'isValid'>

export interface ApolloOptions extends ExecuteOptions {
  /** Those of the schema; without it none yet. */
  readonly known?: KnownOperations
  /** What reads for requests that are answered past Apollo; without it none is. */
  readonly contexts?: Pick<RequestContexts, 'make' | 'read'>
  /** Default: true, as for what follows. */
  readonly introspection?: boolean
  /** Whether messages say what a wrong name may have meant. */
  readonly suggestions?: boolean
  /** Learns what a document that Apollo does not know cost, and whether it is valid. */
  readonly documents?: DocumentCosts
  /** Where Apollo Server logs its own warnings. */
  readonly logger: NonNullable<ApolloServerOptions<GraphContext>['logger']>
  /** Called with what was masked from a caller, who got the request id instead. */
  readonly report: (error: unknown, requestId: string) => void
  /** Called with how an operation ended: its name as the document gives it, and the codes of its errors. */
  readonly finished: (
    request: Pick<AskingRequest, 'startedMs' | 'audit'>,
    operationName: string | null,
    errorCodes: readonly string[],
  ) => void
}

/**
 * Apollo Server over a schema, executing through `operationExecutor`. The limits of a document's text are the gate's
 * (`document-gate.ts`); those of selections, with every fragment counted at every place, and of the number of validation
 * errors are Apollo's and graphql-js' own: what walks an operation here may follow its fragments without a limit of its
 * own. Batches of operations are off.
 * The cache-control plugin is off: it hooks every field and costs 2.7 times all the rest at 100 entities.
 */
export function graphqlServer(schema: GraphQLSchema, options: ApolloOptions): GraphqlServer {
  // Errors are formatted before the request is known; what was masked waits here until it is.
  const masked = new WeakMap<object, unknown>()
  const { documents, contexts, known = knownOperations(options.count) } = options
  const executor = operationExecutor(options, known)
  const runs: Runs = new WeakMap()
  const execute: Execute = (request, context) => runs.get(context.reply) ?? executor.execute(request, context)
  const answerKnown = contexts ? knownAnswerer({ ...options, contexts, known, executor }) : () => null
  const apollo = new ApolloServer<GraphContext>({
    gateway: compiledGateway(schema, execute),
    logger: options.logger,
    introspection: options.introspection ?? true,
    // Documents are cached by their text; registering them by hash would only add a store that callers can fill.
    persistedQueries: false,
    includeStacktraceInErrorResponses: false,
    stopOnTerminationSignals: false,
    stringifyResult: JSON.stringify,
    validationOptions: { maxErrors: maxDocumentErrors },
    maxRecursiveSelections: maxSelections,
    validationRules: [catalogueNesting],
    formatError(formatted, error) {
      let original: unknown
      const report = (unknownError: unknown): void => {
        original = unknownError
      }
      const reported = formatError(formatted, error, { report, suggestions: options.suggestions ?? true })
      if (original !== undefined) masked.set(reported, original)
      return reported
    },
    plugins: [
      ApolloServerPluginCacheControlDisabled(),
      ApolloServerPluginLandingPageDisabled(),
      {
        async unexpectedErrorProcessingRequest({ requestContext, error }) {
          options.report(error, requestContext.contextValue.requestId)
        },
        async requestDidStart() {
          return {
            async parsingDidStart({ contextValue, source }) {
              const started = performance.now()
              return async (error) => {
                documents?.spent(contextValue.payer, performance.now() - started)
                if (error && source !== undefined) documents?.isValid(source, false)
              }
            },
            async validationDidStart({ contextValue, source }) {
              const started = performance.now()
              return async (errors) => {
                documents?.spent(contextValue.payer, performance.now() - started)
                if (source !== undefined) documents?.isValid(source, errors === undefined)
              }
            },
            async responseForOperation(request) {
              const running = execute(request, request.contextValue)
              const result = await running.catch(() => null)
              if (result && !result.errors) return plainResponse(result)
              runs.set(request.contextValue.reply, running)
              return null
            },
            async willSendResponse({ response, contextValue, operationName }) {
              // Reported by the thread that has answered it.
              if (contextValue.reply.apart !== null) return
              const codes: string[] = []
              if (response.body.kind === 'single') {
                for (const error of response.body.singleResult.errors ?? []) {
                  const original = masked.get(error)
                  if (original !== undefined) options.report(original, contextValue.requestId)
                  const extensions = error.extensions ?? {}
                  codes.push(String(extensions['code']))
                  Object.assign(extensions, { requestId: contextValue.requestId })
                }
              }
              options.finished(contextValue, operationName ?? null, codes)
            },
          }
        },
      },
    ],
  })
  return {
    apollo,
    answerKnown(asked, request) {
      const answering = answerKnown(asked, request)
      return answering === null ? null : noted(answering, request)
    },
  }

  async function noted(answering: Promise<KnownAnswer>, request: AskingRequest): Promise<KnownAnswer> {
    const answer = await answering
    if ('body' in answer) options.finished(request, answer.operationName, [])
    else {
      // Apollo asks for it later.
      answer.running.catch(() => {})
      runs.set(answer.context.reply, answer.running)
    }
    return answer
  }
}

export interface GraphqlServer {
  readonly apollo: ApolloServer<GraphContext>
  /** See `answer-known.ts`. What it hands over is to be asked of Apollo with the context that it gives. */
  readonly answerKnown: AnswerKnown
}

/** Executions that have begun before Apollo asks for them, by what its copies of a context share. */
type Runs = WeakMap<GraphContext['reply'], Promise<ExecutionResult>>

/**
 * An answer without errors goes back by a plugin's hook, which is cheaper than by the executor: for that Apollo makes an
 * object with accessors of its own, so a hidden class a request, and these hold the whole request until a major garbage
 * collection (2 MB survived each minor one; 40 % of all CPU at one entity).
 */
function plainResponse(singleResult: ExecutionResult): GraphQLResponse {
  const body = { kind: 'single', singleResult } as Extract<GraphQLResponse['body'], { kind: 'single' }>
  return { http: { headers: noHeaders }, body }
}

const noHeaders = new HeaderMap()

/**
 * Apollo takes a custom executor, and a schema that can be swapped, through its gateway interface only. Here it gets
 * what ended with errors or failed, to be worded, counted and given its HTTP status.
 */
function compiledGateway(schema: GraphQLSchema, execute: Execute): GatewayInterface {
  const executor: GatewayExecutor = async (request) => {
    const context = request.context as unknown as GraphContext
    const result = await execute(request, context)
    return result as Awaited<ReturnType<GatewayExecutor>>
  }
  return {
    onSchemaLoadOrUpdate(callback) {
      callback({ apiSchema: schema, coreSupergraphSdl: '' })
      return () => {}
    },
    load: async () => ({ executor }),
    stop: async () => {},
  }
}
