import { GenericError, MultipleErrors, protocolErrorsCodesById, ResponseError } from '@platformatic/kafka'
import { StoreFailed } from '../../errors.ts'

/** Kafka's name of an error code, `UNKNOWN_TOPIC_OR_PARTITION`. */
export function protocolError(code: number): string {
  return protocolErrorsCodesById[code] ?? `error ${code}`
}

/** The names of the errors that a broker answered; none when it did not answer. */
export function protocolErrorsIn(error: unknown): ReadonlySet<string> {
  if (error instanceof MultipleErrors)
    return new Set(error.errors.flatMap((one) => [...protocolErrorsIn(one)]))
  const name: unknown = error instanceof GenericError ? error['apiId'] : undefined
  return new Set(typeof name === 'string' ? [name] : [])
}

/**
 * The answer, also one that holds errors: the library makes it a rejection although other parts of it are fine.
 * The errors are still in it, as codes beside what they belong to.
 */
export async function answerIn<Answer>(request: Promise<Answer>): Promise<Answer> {
  try {
    return await request
  } catch (error) {
    // What a ResponseError holds is what its parser made, the type that the request promised.
    if (error instanceof ResponseError && error['response'] !== undefined) return error['response'] as Answer
    throw error
  }
}

export function isTimeout(error: unknown): boolean {
  if (error instanceof MultipleErrors) return error.errors.some(isTimeout)
  return error instanceof GenericError && error.message === 'Request timed out'
}

/**
 * Whether the same request may succeed later: a leader has moved, a broker is away. Also an answer that cannot be read:
 * 1.35 misreads one in which the leader of a partition has moved and other partitions follow.
 */
export function isPassing(error: unknown): boolean {
  if (error instanceof MultipleErrors)
    return error.findBy('hasStaleMetadata', true) !== null || error.errors.every(isPassing)
  const isAnswer = error instanceof GenericError && error['apiId'] !== undefined
  return isAnswer ? error['canRetry'] === true : !isTimeout(error)
}

/** One line for the log: the innermost reason, which holds hosts, topics and Kafka's codes, never a password. */
export function reasonOf(error: unknown): string {
  const names = [...protocolErrorsIn(error)]
  if (names.length > 0) return names.join(', ')
  if (!(error instanceof Error)) return String(error)
  if (error instanceof AggregateError && error.errors.length > 0)
    return [...new Set(error.errors.map(reasonOf))].join('; ')
  if (error.cause instanceof Error) return `${error.message.replace(/\.$/, '')}: ${reasonOf(error.cause)}`
  return error.message
}

/** Without the library's error as its cause, which can hold a whole request or a buffer of the login. */
export function storeFailed(what: string, error: unknown): StoreFailed {
  return error instanceof StoreFailed ? error : new StoreFailed(`${what}: ${reasonOf(error)}`)
}
