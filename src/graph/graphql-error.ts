import { GraphQLError, type GraphQLFormattedError } from 'graphql'
import { type ErrorCode, FeaturegraphError } from '../errors.ts'

/** HTTP status of the errors that refuse a whole request. */
const refusals: Partial<Readonly<Record<ErrorCode, number>>> = {
  BAD_USER_INPUT: 400,
  LIMIT_EXCEEDED: 400,
  UNAUTHENTICATED: 401,
  FORBIDDEN: 403,
}

/** Codes whose messages are written for callers: ours, and those that Apollo gives to a caller's mistakes. */
const tellable: ReadonlySet<unknown> = new Set([
  ...Object.keys(refusals),
  'UNAVAILABLE',
  'GRAPHQL_PARSE_FAILED',
  'GRAPHQL_VALIDATION_FAILED',
  'OPERATION_RESOLUTION_FAILURE',
  'PERSISTED_QUERY_NOT_FOUND',
  'PERSISTED_QUERY_NOT_SUPPORTED',
  'BAD_REQUEST',
])

/** An error of the project → one that carries its code and, where it refuses the request, the HTTP status. */
export function refusal(error: FeaturegraphError): GraphQLError {
  return withCode(new GraphQLError(error.message, { originalError: error }), error)
}

function withCode(error: GraphQLError, original: FeaturegraphError): GraphQLError {
  const status = refusals[original.code]
  if (status === undefined) return error
  const extensions = { code: original.code, http: { status } }
  return new GraphQLError(original.message, { path: error.path ?? null, originalError: original, extensions })
}

/**
 * What an execution engine reported, as a real GraphQLError: graphql-jit makes plain objects without `extensions`, on
 * which Apollo's formatter fails.
 */
export function executionError(raw: GraphQLError): GraphQLError {
  const original = raw.originalError ?? null
  if (original instanceof FeaturegraphError) return withCode(raw, original)
  if (raw instanceof GraphQLError) return raw
  const plain: Partial<GraphQLError> & { readonly message: string } = raw
  const error = new GraphQLError(plain.message, {
    path: plain.path ?? null,
    originalError: original,
    extensions: plain.extensions ?? (original instanceof GraphQLError ? original.extensions : null),
  })
  if (plain.locations) Object.defineProperty(error, 'locations', { value: plain.locations, enumerable: true })
  return error
}

/** Digits that JSON has already rounded are not the caller's: a message must not quote them as such. */
const roundedInteger = /(got invalid value )-?\d{16,}(?:[eE]\+?\d+)?/

/**
 * The last word on what leaves: an error without a code that is meant for callers is masked (`report` gets the
 * original), since Apollo passes resolver messages on in production too.
 */
export function formatError(
  formatted: GraphQLFormattedError,
  error: unknown,
  report: (error: unknown) => void,
): GraphQLFormattedError {
  const code = formatted.extensions?.['code']
  if (!tellable.has(code)) {
    report(error)
    const { path, locations } = formatted
    return {
      message: 'the gateway failed; its log has the details under this request id',
      ...(locations === undefined ? {} : { locations }),
      ...(path === undefined ? {} : { path }),
      extensions: { code: 'INTERNAL_SERVER_ERROR' },
    }
  }
  return { ...formatted, message: formatted.message.replace(roundedInteger, '$1that JSON has rounded') }
}
