import { HeaderMap } from '@apollo/server'
import { GraphQLError, type GraphQLFormattedError } from 'graphql'
import { int64Bounds } from '../definitions/value.ts'
import { BadUserInput, type ErrorCode, FeaturegraphError, retryAfterSeconds } from '../errors.ts'

/** HTTP status of the errors that refuse a whole request. */
const refusals: Partial<Readonly<Record<ErrorCode, number>>> = {
  BAD_USER_INPUT: 400,
  LIMIT_EXCEEDED: 400,
  UNAUTHENTICATED: 401,
  FORBIDDEN: 403,
  RATE_LIMITED: 429,
  OVERLOADED: 503,
  THREAD_ENDED: 503,
}

/** Codes whose messages are written for callers: ours, and those that Apollo gives to a caller's mistakes. */
const forCallers: ReadonlySet<unknown> = new Set([
  ...Object.keys(refusals),
  'UNAVAILABLE',
  'HISTORY_EXPIRED',
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
  const seconds = retryAfterSeconds(original)
  const http = {
    status,
    ...(seconds === null ? {} : { headers: new HeaderMap([['retry-after', String(seconds)]]) }),
  }
  const extensions = { code: original.code, http }
  return new GraphQLError(original.message, { path: error.path ?? null, originalError: original, extensions })
}

/**
 * What an execution engine reported, as an error that Apollo can format: graphql-jit's have no `extensions`, on which
 * Apollo fails, although they pass for instances of GraphQLError.
 */
export function executionError(raw: GraphQLError): GraphQLError {
  const original = raw.originalError ?? null
  if (original instanceof FeaturegraphError && refusals[original.code] !== undefined)
    return withCode(raw, original)
  // graphql-js gives no code to a null variable where an argument or a condition takes none, nor to a mutation
  // or subscription where the schema has none.
  const kind = raw.nodes?.[0]?.kind
  if (kind === 'Variable' || kind === 'OperationDefinition')
    return withCode(raw, new BadUserInput(raw.message))
  // The 51st wrong value ends the list of errors with one that has no node.
  if (raw.message.startsWith('Too many errors processing variables')) {
    return withCode(raw, new BadUserInput('more values are wrong than are listed'))
  }
  const { message, path, locations, extensions }: Partial<GraphQLError> & { readonly message: string } = raw
  if (extensions !== undefined) return raw
  const error = new GraphQLError(message, { path: path ?? null, originalError: original })
  if (locations) Object.defineProperty(error, 'locations', { value: locations, enumerable: true })
  return error
}

/** Not in quotes: a string's digits are as the caller wrote them. */
const longInteger = /(?<!["\d.-])-?(?:\d{16,}|\d(?:\.\d+)?e\+\d+)(?!["\d])/g

/** Digits that JSON has already rounded are not the caller's: a message must not quote them as such. No number prints as a bound. */
function withoutRounded(message: string): string {
  if (!message.includes('got invalid value ')) return message
  const isExact = (digits: string): boolean =>
    Number.isSafeInteger(Number(digits)) || int64Bounds.includes(digits)
  return message.replace(longInteger, (digits) => (isExact(digits) ? digits : 'that JSON has rounded'))
}

/** Problems of one document that are reported. */
export const maxDocumentErrors = 5
/** A fragment counts at every place where it is spread. */
export const maxSelections = 10_000

/** What graphql-js and Apollo Server say of limits without naming them. */
const reworded: Readonly<Record<string, string>> = {
  'GraphQL introspection is not allowed by Apollo Server, but the query contained __schema or __type. To enable introspection, pass introspection: true to ApolloServer in production':
    'introspection is off here (FEATUREGRAPH_INTROSPECTION); `featuregraph sdl` prints the schema',
  'Too many validation errors, error limit reached. Validation aborted.': `a document is validated up to ${maxDocumentErrors} problems, and this one has more`,
}
const tooManySelections = / recursively requests too many selections\.$/

/** Characters of a message, and places, that one problem takes: a message can quote the caller's whole body, 50 times. */
const longestMessage = 600
const maxLocations = 5

function bounded(error: GraphQLFormattedError): GraphQLFormattedError {
  const { message, locations } = error
  const half = longestMessage / 2
  const isLong = message.length > longestMessage
  return {
    ...error,
    message: isLong ? `${message.slice(0, half)} … ${message.slice(-half)}`.toWellFormed() : message,
    ...(locations === undefined ? {} : { locations: locations.slice(0, maxLocations) }),
  }
}

export interface FormatOptions {
  /** Gets what is masked. */
  readonly report: (error: unknown) => void
  /** Whether messages say what a wrong name may have meant. */
  readonly suggestions: boolean
}

/** It ends a message of graphql-js, of a document and of variables alike. */
function withoutSuggestion(message: string): string {
  const start = message.lastIndexOf(' Did you mean ')
  return start >= 0 && message.endsWith('?') ? message.slice(0, start) : message
}

/**
 * The last word on what leaves: an error without a code that is meant for callers is masked, since Apollo passes resolver messages on in production too.
 */
export function formatError(
  formatted: GraphQLFormattedError,
  error: unknown,
  { report, suggestions }: FormatOptions,
): GraphQLFormattedError {
  const code = formatted.extensions?.['code']
  if (!forCallers.has(code)) {
    report(error)
    const { path, locations } = formatted
    return {
      message: 'the gateway failed; its log has the details under this request id',
      ...(locations === undefined ? {} : { locations }),
      ...(path === undefined ? {} : { path }),
      extensions: { code: 'INTERNAL_SERVER_ERROR' },
    }
  }
  const text = suggestions ? formatted.message : withoutSuggestion(formatted.message)
  const message = tooManySelections.test(formatted.message)
    ? `an operation may select at most ${maxSelections} fields, those of a fragment at every place where it is spread`
    : reworded[formatted.message]
  if (message !== undefined) return { ...formatted, message }
  // The parser and the validator of graphql-js recurse; what ends them is the caller's nesting, not a fault here.
  if (formatted.message.startsWith('Maximum call stack')) {
    return { ...formatted, message: 'the query is nested too deeply' }
  }
  return bounded({ ...formatted, message: withoutRounded(text) })
}
