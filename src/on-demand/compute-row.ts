import type { ComputeFunction } from '../definitions/on-demand-view.ts'
import type { UnavailableReason } from '../definitions/unavailable-reason.ts'
import { acceptValue, type ScalarValue, type Value } from '../definitions/value.ts'
import { elementType, isDecimal, type ValueType } from '../definitions/value-type.ts'
import type { OnDemandView } from '../registry/registry.ts'

/** What is needed to call a view's function: plain data, which a thread can be given. */
export interface ComputePlan {
  readonly view: string
  readonly module: string
  readonly inputs: readonly {
    readonly name: string
    readonly type: ValueType
    /** In the place of null, of a request value that may be left out. */
    readonly default: number | null
  }[]
  readonly features: readonly { readonly name: string; readonly type: ValueType }[]
}

export function computePlan({ name, module, inputs, features }: OnDemandView): ComputePlan {
  return {
    view: name,
    module,
    inputs: inputs.map((input) => {
      if (input.kind === 'feature') return { name: input.name, type: input.feature.type, default: null }
      const { type, optional, default: byDefault } = input.request
      return { name: input.name, type, default: optional ? byDefault : null }
    }),
    features: features.map((feature) => ({ name: feature.name, type: feature.type })),
  }
}

/** Of a row: NULL_VALUE where all its values are null. */
type ComputedStatus = 'PRESENT' | 'NULL_VALUE' | 'FAILED' | 'UNAVAILABLE'

export interface ComputedRow {
  /** In the features' order; all null unless the status is PRESENT. */
  readonly values: readonly (Value | null)[]
  readonly status: ComputedStatus
  /** Of an UNAVAILABLE row. */
  readonly reason: UnavailableReason | null
}

type ComputeFailureKind = 'THREW' | 'PROMISE' | 'WRONG_TYPE'

/** Why a function's answer for one row does not count; for the log, never for a caller. */
export interface ComputeFailure {
  readonly view: string
  readonly kind: ComputeFailureKind
  readonly message: string
  /** What was thrown. */
  readonly cause?: unknown
}

export type OnComputeFailure = (failure: ComputeFailure) => void

/**
 * A row's features by its inputs, which are in the plan's order. The function is given an object of its own and called once;
 * its answer is checked by the features' types and copied. Never throws: what the function does wrong is FAILED, and reported.
 */
export function computeRow(
  plan: ComputePlan,
  compute: ComputeFunction,
  inputs: readonly (Value | null)[],
  onFailure: OnComputeFailure,
): ComputedRow {
  const { view, features } = plan
  const fail = (kind: ComputeFailureKind, message: string, cause?: unknown): ComputedRow => {
    onFailure({ view, kind, message, ...(cause === undefined ? {} : { cause }) })
    return failed(plan)
  }
  try {
    const answer: unknown = compute(inputObject(plan, inputs))
    if (typeof answer !== 'object' || answer === null || Array.isArray(answer))
      return fail('WRONG_TYPE', `expected an object with ${namesOf(plan)}, ${kindOf(answer)} came`)
    if (isPromise(answer)) {
      // Nobody waits for it: its failure must not end the process.
      answer.then(undefined, () => {})
      return fail('PROMISE', 'expected an answer at once, a promise came')
    }
    const unknown = Object.keys(answer).find((name) => !features.some((feature) => feature.name === name))
    if (unknown !== undefined)
      return fail(
        'WRONG_TYPE',
        `expected an object with ${namesOf(plan)}, one with ${JSON.stringify(unknown)} came`,
      )
    const values: (Value | null)[] = []
    for (const { name, type } of features) {
      const value: unknown = Reflect.get(answer, name)
      const outcome = acceptValue(type, value)
      if (!outcome.ok)
        return fail('WRONG_TYPE', `${name}: expected ${outcome.expected}, ${kindOf(value)} came`)
      values.push(outcome.value === null ? null : copied(type, outcome.value))
    }
    const isNull = values.every((value) => value === null)
    return { values, status: isNull ? 'NULL_VALUE' : 'PRESENT', reason: null }
  } catch (error) {
    return fail('THREW', messageOf(error), error)
  }
}

export function unavailableRow({ features }: ComputePlan, reason: UnavailableReason): ComputedRow {
  return { values: features.map(() => null), status: 'UNAVAILABLE', reason }
}

function failed({ features }: ComputePlan): ComputedRow {
  return { values: features.map(() => null), status: 'FAILED', reason: null }
}

function inputObject(
  { inputs: named }: ComputePlan,
  inputs: readonly (Value | null)[],
): Readonly<Record<string, unknown>> {
  const input: Record<string, unknown> = {}
  named.forEach(({ name, type, default: byDefault }, index) => {
    const value = inputs[index] ?? byDefault
    input[name] = value === null ? null : copied(type, value)
  })
  return input
}

/** What a function may change without changing what others are answered; a decimal is the number that callers get. */
function copied(type: ValueType, value: Value): Value {
  if (typeof value !== 'object') return isDecimal(type) ? Number(value) : value
  if (value instanceof Uint8Array) return Buffer.from(value)
  if (elementType(type) !== 'bytes') return [...value]
  return value.map((item): ScalarValue => (item instanceof Uint8Array ? Buffer.from(item) : item))
}

function isPromise(answer: object): answer is PromiseLike<unknown> {
  return 'then' in answer && typeof answer.then === 'function'
}

function namesOf({ features }: ComputePlan): string {
  return features.map(({ name }) => name).join(', ')
}

/** Without the value, which may be personal. */
function kindOf(value: unknown): string {
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'a list'
  if (typeof value === 'number' && !Number.isFinite(value)) return String(value)
  return typeof value === 'object' || typeof value === 'undefined' ? typeof value : `a ${typeof value}`
}

/** What was thrown may be anything, also what cannot be made a text. */
function messageOf(error: unknown): string {
  try {
    return error instanceof Error ? `${error.name}: ${error.message}` : String(error)
  } catch {
    return 'something without a text'
  }
}
