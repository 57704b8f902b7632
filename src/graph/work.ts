/** Classes of work, each with bounds of its own, from the cheapest to the dearest: a request counts in the dearest of its parts. */
export const workClasses = ['online', 'catalogue', 'large', 'ingestion', 'asOf', 'training'] as const

/**
 * `online`: rows as of now from the online store, `large` where they are many; `catalogue`: definitions, runs, introspection;
 * `ingestion`: pushes, events, deletions; `asOf`: everything that the offline store answers; `training`: spines and training
 * sets.
 */
export type WorkClass = (typeof workClasses)[number]

/** What a request costs, known before it is executed. */
export interface Work {
  readonly workClass: WorkClass
  /** Entity rows that it asks for. */
  readonly entities: number
  /** Entity rows times selected fields. */
  readonly values: number
}

/** Gives the turn back; once is enough, more often does nothing. */
export type EndTurn = () => void

/** More would keep the event loop, which online reads wait for, for longer than 100 ms. */
export const mostInMainThread = { values: 50_000, asOfRows: 100, bytes: 4 * 1_048_576 } as const

/** Whether it is to be answered by another thread. */
export function isLarge({ workClass, entities, values }: Work): boolean {
  return values > mostInMainThread.values || (workClass === 'asOf' && entities > mostInMainThread.asOfRows)
}

export function dearest(first: WorkClass, second: WorkClass): WorkClass {
  return workClasses.indexOf(first) < workClasses.indexOf(second) ? second : first
}
