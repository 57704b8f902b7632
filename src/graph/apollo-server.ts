import { ApolloServer, type ApolloServerOptions, type GraphQLResponse, HeaderMap } from '@apollo/server'
import {
  ApolloServerPluginCacheControlDisabled,
  ApolloServerPluginLandingPageDisabled,
} from '@apollo/server/plugin/disabled'
import type { GatewayExecutor, GatewayInterface } from '@apollo/server-gateway-interface'
import type { ExecutionResult, GraphQLSchema } from 'graphql'
import { catalogueNesting } from './catalogue-nesting.ts'
import type { GraphContext } from './context.ts'
import { formatError } from './graphql-error.ts'
import type { KnownOperations } from './known-operations.ts'
import { type Execute, type ExecuteOptions, operationExecutor } from './operation-executor.ts'

export interface ApolloOptions extends ExecuteOptions {
  /** Those of the schema; without it none yet. */
  readonly known?: KnownOperations
  /** Where Apollo Server logs its own warnings. */
  readonly logger: NonNullable<ApolloServerOptions<GraphContext>['logger']>
  /** Called with what was masked from a caller, who got the request id instead. */
  readonly report: (error: unknown, requestId: string) => void
  /** Called with how an operation ended: its name as the document gives it, and the codes of its errors. */
  readonly finished: (
    context: GraphContext,
    operationName: string | null,
    errorCodes: readonly string[],
  ) => void
}

/**
 * Apollo Server over a schema, executing through `operationExecutor`. Limits on the text of a query (tokens, selections
 * with every fragment counted at every place, number of validation errors) are Apollo's and graphql-js' own: what walks
 * an operation here may follow its fragments without a limit of its own. Batches of operations are off.
 * The cache-control plugin is off: it hooks every field and costs 2.7 times all the rest at 100 entities.
 */
export function apolloServer(schema: GraphQLSchema, options: ApolloOptions): ApolloServer<GraphContext> {
  // Errors are formatted before the request is known; what was masked waits here until it is.
  const masked = new WeakMap<object, unknown>()
  const execute = operationExecutor(options, options.known)
  const runs: Runs = new WeakMap()
  return new ApolloServer<GraphContext>({
    gateway: compiledGateway(schema, execute, runs),
    logger: options.logger,
    introspection: true,
    // Documents are cached by their text; registering them by hash would only add a store that callers can fill.
    persistedQueries: false,
    includeStacktraceInErrorResponses: false,
    stopOnTerminationSignals: false,
    stringifyResult: JSON.stringify,
    parseOptions: { maxTokens: 10_000 },
    validationOptions: { maxErrors: 5 },
    maxRecursiveSelections: 10_000,
    validationRules: [catalogueNesting],
    formatError(formatted, error) {
      let original: unknown
      const reported = formatError(formatted, error, (unknownError) => {
        original = unknownError
      })
      if (original !== undefined) masked.set(reported, original)
      return reported
    },
    plugins: [
      ApolloServerPluginCacheControlDisabled(),
      ApolloServerPluginLandingPageDisabled(),
      {
        async requestDidStart() {
          return {
            async responseForOperation(request) {
              const running = execute(request, request.contextValue)
              const result = await running.catch(() => null)
              if (result && !result.errors) return plainResponse(result)
              runs.set(request.contextValue, running)
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
}

/** Executions that are to be answered by the gateway's executor. */
type Runs = WeakMap<GraphContext, Promise<ExecutionResult>>

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
function compiledGateway(schema: GraphQLSchema, execute: Execute, runs: Runs): GatewayInterface {
  const executor: GatewayExecutor = async (request) => {
    const context = request.context as unknown as GraphContext
    const result = await (runs.get(context) ?? execute(request, context))
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
