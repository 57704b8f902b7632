import { WrongAnswers } from '../run-bench.ts'
import type { FeatureValues } from './database.ts'

/** @throws WrongAnswers */
export function checkEqual(what: string, came: unknown, expected: unknown): void {
  const [left, right] = [JSON.stringify(came), JSON.stringify(expected)]
  if (left !== right) throw new WrongAnswers(`${what}: expected ${right}, got ${left}`)
}

const tolerance = 1e-6

/**
 * The same customers, each with the same values up to a millionth: floating sums depend on their order.
 * @throws WrongAnswers
 */
export function checkFeatures(
  what: string,
  came: ReadonlyMap<number, FeatureValues>,
  expected: ReadonlyMap<number, FeatureValues>,
): void {
  const ids = (rows: ReadonlyMap<number, FeatureValues>): number[] => [...rows.keys()].sort((a, b) => a - b)
  checkEqual(`${what}: customers with a row`, ids(came), ids(expected))
  for (const [id, values] of expected) {
    const ours = came.get(id) ?? []
    if (ours.length === values.length && values.every((value, place) => isClose(ours[place], value))) continue
    throw new WrongAnswers(
      `${what}: customer ${id}: expected ${JSON.stringify(values)}, got ${JSON.stringify(ours)}`,
    )
  }
}

function isClose(came: number | null | undefined, expected: number | null): boolean {
  if (came === expected) return true
  if (came === null || came === undefined || expected === null) return false
  return Math.abs(came - expected) <= tolerance * Math.abs(expected)
}
