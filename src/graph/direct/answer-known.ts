import type { ExecutionResult } from 'graphql'
import type { CompiledQuery } from 'graphql-jit'
import { JsonBytes } from '../../online/json/json-bytes.ts'
import { TooManyBytes } from '../answer-size.ts'
import type { AskingRequest, GraphContext } from '../context.ts'
import type { AnsweredOperation, KnownOperations } from '../known-operations.ts'
import {
  asRefusal,
  type ExecuteOptions,
  maxValues,
  type OperationExecutor,
  type Run,
  workOf,
} from '../operation-executor.ts'
import type { RequestContexts } from '../request-context.ts'
import { answeredRows } from '../row-loader.ts'
import { type EndTurn, isLarge, mostInMainThread, type Work } from '../work.ts'
import { openGate } from '../work-gate.ts'
import type { AskedAnswer } from './operation-writer.ts'
import type { Values } from './root-writer.ts'

/** A request whose text may have been answered before. */
export interface KnownRequest {
  readonly text: string
  readonly operationName: string | null
  readonly variables: Values
}

/** The answer, as JSON; or a run that has been begun, for Apollo to word, to count and to answer under its context. */
export type KnownAnswer =
  | { readonly body: string | Buffer; readonly operationName: string | null }
  | { readonly context: GraphContext; readonly running: Promise<ExecutionResult> }

/**
 * Answers past Apollo what Apollo has answered before without an error. Null: nothing has happened yet, and Apollo is to. Cost
 * and class of work are judged as there, rights by the resolvers or before. Nothing is read twice: what ends with an error, or
 * has no text, is handed over with what was read.
 */
export type AnswerKnown = (asked: KnownRequest, request: AskingRequest) => Promise<KnownAnswer> | null

interface Parts extends Pick<ExecuteOptions, 'gate' | 'maxEntities' | 'countRoute'> {
  readonly contexts: Pick<RequestContexts, 'make' | 'read'>
  readonly known: Pick<KnownOperations, 'find'>
  readonly executor: Pick<OperationExecutor, 'runKnown' | 'runTooLarge'>
}

/** A request that is let run. */
interface Admitted {
  readonly operation: AnsweredOperation
  readonly compiled: CompiledQuery | null
  readonly variables: Values
  readonly request: AskingRequest
  /** Null: the resolvers make it. */
  readonly asked: AskedAnswer | null
}

export function knownAnswerer({
  gate = openGate,
  maxEntities,
  countRoute,
  contexts,
  known,
  executor,
}: Parts): AnswerKnown {
  /** One for all answers: each is written at once. */
  const out = new JsonBytes(mostInMainThread.bytes)

  /** Null: it is not for this route. */
  function judged(
    { writer, compiled }: { readonly writer: boolean; readonly compiled: CompiledQuery | null },
    asked: AskedAnswer | null,
    { workClass, entities, values }: Work,
  ): Work | null {
    if (entities > maxEntities || values > maxValues) return null
    // What a writer does not take is unusual.
    if (asked === null && (writer || compiled === null)) return null
    if (gate.apart === null) return { workClass, entities, values }
    if (workClass === 'large' && asked !== null && asked.bytes <= mostInMainThread.bytes)
      return { workClass: 'online', entities, values }
    return isLarge({ workClass, entities, values }) ? null : { workClass, entities, values }
  }

  async function answer(admitted: Admitted, entered: EndTurn | Promise<EndTurn>): Promise<KnownAnswer> {
    const { request, operation, asked } = admitted
    const end = entered instanceof Promise ? await entered : entered
    try {
      if (asked === null) return await resolved(admitted, contexts.make(request))
      const columns = await contexts.read(request, asked.needs)
      if (asked.write(columns, out)) {
        countRoute('direct')
        return { body: out.take(), operationName: operation.seen.operationName }
      }
      if (!out.isFull() || gate.apart === null)
        return await resolved(admitted, contexts.make(request, answeredRows(asked.needs, columns)))
    } catch (error) {
      if (!(error instanceof TooManyBytes))
        return { context: contexts.make(request), running: Promise.reject(error) }
    } finally {
      end()
    }
    const context = contexts.make(request)
    return { context, running: executor.runTooLarge(runOf(admitted, context)) }
  }

  async function resolved(admitted: Admitted, context: GraphContext): Promise<KnownAnswer> {
    const { operation, compiled, asked } = admitted
    const running = executor.runKnown(runOf(admitted, context), operation, compiled, asked === null)
    const result = await running
    if (result.errors || context.reply.apart !== null || asked !== null) return { context, running }
    return { body: JSON.stringify({ data: result.data }), operationName: operation.seen.operationName }
  }

  return ({ text, operationName, variables }, request) => {
    const operation = known.find(text, operationName)
    const direct = operation?.direct() ?? null
    if (operation === null || direct === null) return null
    const { writer, compiled } = direct
    const work = workOf(operation, variables)
    const asked = writer?.ask(variables, work.entities, request.now) ?? null
    const admissible = judged({ writer: writer !== null, compiled }, asked, work)
    if (admissible === null) return null
    request.readBytes.repeats = operation.repeats
    const admitted = { operation, compiled, variables, request, asked }
    const refused = async (error: unknown): Promise<KnownAnswer> => {
      const context = contexts.make(request)
      return { context, running: asRefusal(Promise.reject(error)) }
    }
    try {
      const entered = gate.enter(admissible, request)
      if (!(entered instanceof Promise)) return answer(admitted, entered)
      return entered.then((end) => answer(admitted, end), refused)
    } catch (error) {
      return refused(error)
    }
  }
}

function runOf({ operation: { seen }, variables }: Admitted, context: GraphContext): Run {
  return { ...seen, variables, context }
}
