import type { AskingRequest, GraphContext } from './context.ts'
import type { EndTurn, Work, WorkClass } from './work.ts'

/** A query as its caller sent it. */
export interface ApartRequest {
  readonly query: string
  readonly operationName: string | null
  readonly variables: Readonly<Record<string, unknown>>
}

/** A whole answer, written already. */
export interface ApartAnswer {
  readonly status: number
  /** JSON in UTF-8. */
  readonly body: Uint8Array
}

/** What lets requests run, and where. */
export interface WorkGate {
  /** @throws Overloaded; RateLimited. Answers at once where it may run now. */
  readonly enter: (work: Work, request: AskingRequest) => EndTurn | Promise<EndTurn>
  /** The same for a request that has turned out to be of a dearer class; it has counted in its caller's rates. */
  readonly enterAgain: (workClass: WorkClass, request: AskingRequest) => EndTurn | Promise<EndTurn>
  /** Answers off the main thread what is large; null: nothing is. @throws ThreadEnded; StoreFailed. */
  readonly apart: {
    readonly answer: (request: ApartRequest, context: GraphContext) => Promise<ApartAnswer>
    /** What reads more than this is refused there too. */
    readonly maxReadBytes: number
  } | null
}

/** Lets everything run where it is. */
export const openGate: WorkGate = { enter: () => () => {}, enterAgain: () => () => {}, apart: null }
