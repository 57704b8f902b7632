import { type DuckDBConnection, DuckDBTimestampTZValue } from '@duckdb/node-api'
import { expect } from 'vitest'
import { expectValue } from '../window-sql/compare-snapshots.ts'
import { expectedAnswers, type JoinWorld } from './join-world.ts'

/** An answer of an engine: values in the form that a result's files have. */
export interface FoundAnswer {
  readonly eventTimestamp: number
  readonly values: readonly unknown[]
}

/** Fails unless the answers of the plain and of the streaming view are the oracle's for every row of the spine; how many there are. */
export function expectAnswers(world: JoinWorld, found: readonly (readonly (FoundAnswer | null)[])[]): number {
  const views = [world.profile, world.recent]
  let present = 0
  for (const [index, expected] of expectedAnswers(world).entries()) {
    const { name, features } = views[index] ?? world.profile
    expect(found[index]).toHaveLength(expected.length)
    for (const [place, answer] of expected.entries()) {
      const own = found[index]?.[place] ?? null
      const label = `${name} of ${JSON.stringify(world.spine[place])}`
      expect(own?.eventTimestamp ?? null, label).toBe(answer?.eventTimestamp ?? null)
      if (answer === null) continue
      present += 1
      for (const [at, { name: feature, type }] of features.entries())
        expectValue(
          own?.values[at] ?? null,
          answer.values[at] ?? { value: null, tolerance: null },
          type,
          `${feature} of ${label}`,
        )
    }
  }
  return present
}

/** Rows of a relation with `place`, the event timestamp in microseconds and the values, by the spine's places. */
export async function answersOf(
  connection: DuckDBConnection,
  { spine }: JoinWorld,
  select: string,
): Promise<readonly (FoundAnswer | null)[]> {
  const reader = await connection.runAndReadAll(select)
  const byPlace = new Map(
    reader.getRows().map(([place, eventTimestamp, ...values]) => {
      const micros = eventTimestamp instanceof DuckDBTimestampTZValue ? eventTimestamp.micros : eventTimestamp
      return [Number(place), { eventTimestamp: Number(micros), values }] as const
    }),
  )
  return spine.map((_, place) => byPlace.get(place) ?? null)
}
