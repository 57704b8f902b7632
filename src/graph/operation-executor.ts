import {
  type DocumentNode,
  type ExecutionResult,
  execute,
  GraphQLError,
  type GraphQLSchema,
  getVariableValues,
  type OperationDefinitionNode,
} from 'graphql'
import type { CompiledQuery } from 'graphql-jit'
import { FeaturegraphError, LimitExceeded } from '../errors.ts'
import type { AnswerRoute } from './answer-route.ts'
import type { GraphContext } from './context.ts'
import type { DocumentGate } from './document-gate.ts'
import { executionError, refusal } from './graphql-error.ts'
import type { KnownOperation, KnownOperations } from './known-operations.ts'
import { isLarge, type Work } from './work.ts'
import { type ApartRequest, openGate, type WorkGate } from './work-gate.ts'

export interface ExecuteOptions {
  /** Entity rows that one request may ask for. */
  readonly maxEntities: number
  /** Default: everything runs at once, in this thread. */
  readonly gate?: WorkGate
  /** That a request may read of stored rows where it is not answered by another thread. */
  readonly maxReadBytes: number
  /** Called when an operation was compiled, could not be, or was answered by graphql-js after all. */
  readonly count: (event: 'compiled' | 'not-compilable' | 'repeated') => void
  /** Called with what has run an operation, once it may be answered. */
  readonly countRoute: (route: AnswerRoute) => void
  readonly documents?: Pick<DocumentGate, 'spent'>
}

/** Entities times selected fields: some hundred MB of answer, which aliases could otherwise ask for in a small query. */
export const maxValues = 1_000_000
/** A known operation takes some microseconds; counting or compiling one takes longer. */
const chargedFromMs = 1
/** As many as graphql-js reports by itself when it executes. */
const maxVariableErrors = 50

type Variables = Readonly<Record<string, unknown>>

/** What Apollo knows of an operation when it is to be executed, in the terms of its own request contexts. */
interface OperationRequest {
  readonly schema: GraphQLSchema
  readonly document: DocumentNode
  readonly operation?: OperationDefinitionNode | undefined
  readonly operationName?: string | null | undefined
  readonly queryHash?: string | undefined
  readonly request: { readonly variables?: unknown; readonly operationName?: string | undefined }
}

export type Execute = (request: OperationRequest, context: GraphContext) => Promise<ExecutionResult>

export interface OperationExecutor {
  readonly execute: Execute
  /**
   * What was judged, and has its turn; never rejects with what is a caller's to know. `pastApollo`: a result without errors is
   * not Apollo's to answer, and counts so.
   */
  readonly runKnown: (
    run: Run,
    operation: KnownOperation,
    compiled: CompiledQuery | null,
    pastApollo: boolean,
  ) => Promise<ExecutionResult>
  /** What has read, or would answer, more than may be answered here; once its turn has ended. */
  readonly runTooLarge: (run: Run) => Promise<ExecutionResult>
}

export interface Run {
  readonly schema: GraphQLSchema
  readonly document: DocumentNode
  readonly operation: OperationDefinitionNode
  readonly operationName: string | null
  readonly variables: Variables
  readonly context: GraphContext
}

/**
 * Executes for Apollo: limits, then graphql-jit. graphql-js answers where an operation cannot be compiled, before
 * it is, and again whenever a compiled run ends without `data` (no resolver has run then): its wording and AST nodes
 * are what Apollo knows as the caller's mistakes. `known`: those of its schema.
 */
export function operationExecutor(options: ExecuteOptions, known: KnownOperations): OperationExecutor {
  const { gate = openGate } = options
  const run: Execute = async (asked, context) => {
    const { schema, document, operation: node, operationName = null, queryHash, request } = asked
    const variables = (request.variables ?? {}) as Variables
    if (!node) {
      // Apollo's own name is that of the operation it found: graphql-js is to say that the caller's is unknown.
      const asked = { schema, document, operationName: request.operationName ?? null, variables, context }
      return runInterpreted(asked)
    }
    const asks: Run = { schema, document, operation: node, operationName, variables, context }
    const started = performance.now()
    const operation = known.recall(asks, queryHash ?? '')
    const work = workOf(operation, variables)
    const refused = refuseTooMany(asks, work, operation.selections, options.maxEntities)
    if (refused) return { errors: refused }
    const isApart = node.operation === 'query' && gate.apart !== null && isLarge(work)
    const compiled = isApart ? null : operation.use()
    const took = performance.now() - started
    if (took > chargedFromMs) options.documents?.spent(context.payer, took)
    const entered = gate.enter(work, context)
    const end = entered instanceof Promise ? await entered : entered
    let result: ExecutionResult | null
    try {
      if (isApart) return await runApart(asks)
      context.readBytes.repeats = operation.repeats
      result = await runHere(asks, operation, compiled)
    } finally {
      end()
    }
    if (result === null) return await runTooLarge(asks)
    if (!result.errors) known.answered(operation, request.operationName ?? null)
    return result
  }

  /** Null: it has read too much. */
  async function runHere(
    asks: Run,
    { defaulted }: KnownOperation,
    compiled: CompiledQuery | null,
    pastApollo = false,
  ): Promise<ExecutionResult | null> {
    const { context, variables } = asks
    const nullForDefault = defaulted.some((name) => variables[name] === null)
    let route: AnswerRoute = 'compiled'
    let result = compiled && !nullForDefault ? await compiled.query(undefined, context, variables) : null
    if (result === null || result.data === undefined) {
      if (result !== null) options.count('repeated')
      route = 'interpreted'
      result = await runInterpreted(asks)
    }
    if (context.readBytes.total > context.readBytes.limit) return null
    const answered = answer(result, context)
    options.countRoute(pastApollo && !answered.errors ? 'direct' : route)
    return answered
  }

  async function runApart({ document, operationName, variables, context }: Run): Promise<ExecutionResult> {
    const query = document.loc?.source.body
    if (gate.apart === null || query === undefined) throw new TypeError('an operation without its text')
    const request: ApartRequest = { query, operationName, variables }
    context.reply.apart = await gate.apart.answer(request, context)
    return { data: null }
  }

  /** What has read more than may be answered here: by another thread, if it may be answered at all. */
  async function runTooLarge(asks: Run): Promise<ExecutionResult> {
    const { context } = asks
    const { total } = context.readBytes
    if (gate.apart === null || total > gate.apart.maxReadBytes)
      throw new LimitExceeded(
        `a request may read at most ${gate.apart?.maxReadBytes ?? options.maxReadBytes} bytes of stored rows, each as often as it is asked for; at least ${total} came; split it`,
      )
    const end = await gate.enterAgain('large', context)
    try {
      return await runApart(asks)
    } finally {
      end()
    }
  }

  return {
    execute: (request, context) => asRefusal(run(request, context)),
    runKnown: (asks, operation, compiled, pastApollo) =>
      asRefusal(runHere(asks, operation, compiled, pastApollo).then((result) => result ?? runTooLarge(asks))),
    runTooLarge: (asks) => asRefusal(runTooLarge(asks)),
  }
}

/** What is the caller's to know, as the result that Apollo words. */
export async function asRefusal(running: Promise<ExecutionResult>): Promise<ExecutionResult> {
  try {
    return await running
  } catch (error) {
    if (error instanceof FeaturegraphError) return { errors: [refusal(error)] }
    if (error instanceof RangeError && error.message.startsWith('Maximum call stack'))
      return nestedTooDeeply()
    throw error
  }
}

/** Where the stack was deep enough for validation, which recurses too, and not for what comes after it. */
function nestedTooDeeply(): ExecutionResult {
  const extensions = { code: 'GRAPHQL_VALIDATION_FAILED', http: { status: 400 } }
  return { errors: [new GraphQLError('the query is nested too deeply', { extensions })] }
}

function runInterpreted(run: Omit<Run, 'operation'>): Promise<ExecutionResult> | ExecutionResult {
  return execute({
    schema: run.schema,
    document: run.document,
    operationName: run.operationName,
    variableValues: run.variables,
    contextValue: run.context,
  })
}

export function workOf({ countEntities, selections, classify }: KnownOperation, variables: Variables): Work {
  const entities = countEntities(variables)
  const work = { workClass: classify(variables), entities, values: entities * selections }
  return work.workClass === 'online' && isLarge(work) ? { ...work, workClass: 'large' } : work
}

/** Errors in variables come first: a list of wrong keys is reported as such, whatever its length. */
function refuseTooMany(
  run: Run,
  { entities: came, values }: Work,
  selections: number,
  limit: number,
): readonly GraphQLError[] | null {
  if (came <= limit && values <= maxValues) return null
  const definitions = run.operation.variableDefinitions ?? []
  const coerced = getVariableValues(run.schema, definitions, run.variables, { maxErrors: maxVariableErrors })
  if (coerced.errors) return coerced.errors.map(executionError)
  const message =
    came > limit
      ? `a request may ask for at most ${limit} entities, ${came} came; split it`
      : `a request may ask for at most ${maxValues} values, ${values} came (${came} entities, ${selections} fields); split it`
  return [refusal(new LimitExceeded(message))]
}

function answer(result: ExecutionResult, context: GraphContext): ExecutionResult {
  const unavailable = context.unavailable.errors()
  if (!result.errors && unavailable.length === 0) return result
  const errors = [...(result.errors ?? []).map(executionError), ...unavailable]
  return result.data === undefined ? { errors } : { data: result.data, errors }
}
