import { ApolloServer } from '@apollo/server'
import {
  ApolloServerPluginCacheControlDisabled,
  ApolloServerPluginLandingPageDisabled,
} from '@apollo/server/plugin/disabled'
import type { GatewayInterface } from '@apollo/server-gateway-interface'
import type { GraphQLSchema } from 'graphql'
import { catalogueNesting } from './catalogue-nesting.ts'
import type { GraphContext } from './context.ts'
import { formatError } from './graphql-error.ts'
import { type ExecuteOptions, operationExecutor } from './operation-executor.ts'

/** Where Apollo Server tells its own warnings. */
interface Logger {
  readonly debug: (message?: unknown) => void
  readonly info: (message?: unknown) => void
  readonly warn: (message?: unknown) => void
  readonly error: (message?: unknown) => void
}

export interface ApolloOptions extends ExecuteOptions {
  readonly logger: Logger
  /** Told what was masked from a caller, who got the request id instead. */
  readonly report: (error: unknown, requestId: string) => void
  /** Told how an operation ended: its name as the document gives it, and the codes of its errors. */
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
  return new ApolloServer<GraphContext>({
    gateway: compiledGateway(schema, options),
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
      const told = formatError(formatted, error, (unknownError) => {
        original = unknownError
      })
      if (original !== undefined) masked.set(told, original)
      return told
    },
    plugins: [
      ApolloServerPluginCacheControlDisabled(),
      ApolloServerPluginLandingPageDisabled(),
      {
        async requestDidStart() {
          return {
            async willSendResponse({ response, contextValue, operationName }) {
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

/** Apollo takes a custom executor, and a schema that can be swapped, through its gateway interface only. */
function compiledGateway(schema: GraphQLSchema, options: ExecuteOptions): GatewayInterface {
  return {
    onSchemaLoadOrUpdate(callback) {
      callback({ apiSchema: schema, coreSupergraphSdl: '' })
      return () => {}
    },
    load: async () => ({ executor: operationExecutor(options) }),
    stop: async () => {},
  }
}
