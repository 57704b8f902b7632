import type { z } from 'zod'
import { parseDuration } from '../definitions/duration.ts'
import type { expectationDefinition, rowCountExpectation } from '../definitions/expectation.ts'
import { isNumeric, type ValueType } from '../definitions/value-type.ts'
import type { Report } from '../errors.ts'
import type { Expectation, RowCountExpectation } from './registry.ts'

type Parsed = z.output<typeof expectationDefinition>

/** An expectation with what it leaves out as null; what does not fit the feature's type is reported. */
export function resolveExpectation(
  parsed: Parsed,
  type: ValueType,
  path: string,
  report: Report,
): Expectation {
  const bounded = isNumeric(type) && type !== 'bool'
  for (const rule of ['min', 'max'] as const) {
    if (parsed[rule] !== undefined && !bounded) {
      report({
        path: `${path}.${rule}`,
        message: `${rule} needs a number, the feature is ${type}; use oneOf or notNull`,
      })
    }
  }
  for (const allowed of parsed.oneOf ?? []) {
    const wanted = type === 'string' ? 'string' : type === 'bool' ? 'boolean' : bounded ? 'number' : null
    if (typeof allowed !== wanted) {
      const expected =
        wanted === null ? 'a feature of one string, number or bool' : `values of type ${wanted}`
      report({ path: `${path}.oneOf`, message: `expected ${expected}, ${JSON.stringify(allowed)} came` })
    }
  }
  return {
    min: parsed.min ?? null,
    max: parsed.max ?? null,
    notNull: parsed.notNull ?? false,
    oneOf: parsed.oneOf ?? null,
    maxAgeMicros: parsed.maxAge === undefined ? null : parseDuration(parsed.maxAge),
    action: parsed.action,
  }
}

export function resolveRowCount(
  parsed: z.output<typeof rowCountExpectation> | undefined,
): RowCountExpectation | null {
  return parsed === undefined
    ? null
    : { min: parsed.min ?? null, max: parsed.max ?? null, action: parsed.action }
}
