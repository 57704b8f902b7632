import type { BenchDatabase } from './database.ts'
import type { DurablePostgres } from './durable-postgres.ts'
import type { Done } from './ours.ts'
import type { Ours } from './ours-process.ts'
import type { TransactionFiles } from './transactions.ts'
import type { Sizes, World } from './world.ts'

/** All that the measurements share. */
export interface Bench {
  readonly world: World
  readonly sizes: Sizes
  /** Of what takes long. */
  readonly rounds: number
  /** Of what is over in seconds, where a moment of the machine counts for more. */
  readonly shortRounds: number
  /** For files. */
  readonly folder: string
  readonly postgres: DurablePostgres
  readonly database: BenchDatabase
  readonly redisUrl: string
  readonly ours: Ours
  readonly transactions: TransactionFiles
  /** Progress, and what was checked. */
  readonly say: (line: string) => void
}

export type Peer =
  /** Seconds, one a round, in the order of ours. */
  | { readonly kind: 'RUN'; readonly name: string; readonly seconds: readonly number[] }
  /** Measured at another time: nothing of it ran here. */
  | { readonly kind: 'FIGURE'; readonly name: string; readonly seconds: number }
  | { readonly kind: 'ABSENT'; readonly name: string; readonly reason: string }

export type Goal =
  | { readonly kind: 'RATE_AT_LEAST'; readonly times: number }
  | { readonly kind: 'TIME_AT_MOST'; readonly times: number }

/** Ours beside a peer or floor that does the same for the same rows. */
export interface Comparison {
  readonly what: string
  /** Of both. */
  readonly rows: number
  readonly ours: readonly Done[]
  readonly peer: Peer
  readonly goal: Goal
}

/** Our memory while rows grow. */
export interface Growth {
  readonly what: string
  readonly few: { readonly rows: number; readonly peakBytes: number | null }
  readonly many: { readonly rows: number; readonly peakBytes: number | null }
}

export interface Findings {
  readonly comparisons: readonly Comparison[]
  readonly growths: readonly Growth[]
}

/**
 * Ours and the peer by turns, another first in every round, so that neither always follows the other. With `warmUp` both
 * run once before and are not counted: what is over in seconds would else measure whose files were read last.
 */
export async function byTurns(
  rounds: number,
  ours: () => Promise<Done>,
  peer: () => Promise<number>,
  { warmUp = false }: { readonly warmUp?: boolean } = {},
): Promise<{ readonly ours: readonly Done[]; readonly peer: readonly number[] }> {
  if (warmUp) {
    await ours()
    await peer()
  }
  const done: Done[] = []
  const seconds: number[] = []
  for (let round = 0; round < rounds; round += 1) {
    if (round % 2 === 1) seconds.push(await peer())
    done.push(await ours())
    if (round % 2 === 0) seconds.push(await peer())
  }
  return { ours: done, peer: seconds }
}

export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))
