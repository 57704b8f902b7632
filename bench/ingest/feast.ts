import { mkdtemp } from 'node:fs/promises'
import path from 'node:path'
import { messageOf } from './bench.ts'
import type { FeatureValues } from './database.ts'
import { pythonPackages, runPython } from './python.ts'

const version = '0.67.0'

/** What Feast 0.67.0 took without its start-up for 100,000 rows of this view, measured once on two cores (2026-11-23). */
export const feastFigure = { name: `Feast ${version}, measured earlier`, seconds: 7, rows: 100_000 }

export interface FeastRun {
  readonly version: string
  /** Of `materialize` alone. */
  readonly seconds: number
  readonly rows: ReadonlyMap<number, FeatureValues>
}

export interface FeastTask {
  readonly parquet: string
  readonly redisPort: string
  readonly ids: readonly number[]
}

/** Feast in a process of its own (`feast_materialize.py`), below `folder`; or why it cannot be had. */
export async function openFeast(
  folder: string,
): Promise<((task: FeastTask) => Promise<FeastRun>) | { readonly reason: string }> {
  try {
    const packages = await pythonPackages(`feast-${version}`, [`feast[redis]==${version}`], { alone: false })
    return async ({ parquet, redisPort, ids }) => {
      const own = await mkdtemp(path.join(folder, 'feast-'))
      const printed = await runPython(
        packages,
        'feast_materialize.py',
        ...[parquet, own, redisPort, ids.join(',')],
      )
      const { rows, ...rest } = JSON.parse(printed.trimEnd().split('\n').at(-1) ?? '') as Omit<
        FeastRun,
        'rows'
      > & { readonly rows: Readonly<Record<string, FeatureValues>> }
      return { ...rest, rows: new Map(Object.entries(rows).map(([id, values]) => [Number(id), values])) }
    }
  } catch (error) {
    return { reason: `Feast could not be installed (${messageOf(error).split('\n')[0]})` }
  }
}
