import { formatTimestamp, type Micros } from '../../src/definitions/timestamp.ts'
import { pandas } from '../../test/services/pandas.ts'
import { messageOf } from './bench.ts'
import type { FeatureValues } from './database.ts'
import { pythonPackages, scriptPath } from './python.ts'

export interface PandasSnapshot {
  readonly version: string
  /** Of reading and computing; Python's start and its imports are left out, as are ours. */
  readonly seconds: number
  readonly count: number
  readonly rows: ReadonlyMap<number, FeatureValues>
}

export type PandasSnapshots = (
  parquet: string,
  snapshot: Micros,
  ids: readonly number[],
) => Promise<PandasSnapshot>

/** The seed's own code (`pandas_snapshot.py`), each run in a process of its own; or why it cannot be had. */
export async function openPandas(): Promise<PandasSnapshots | { readonly reason: string }> {
  try {
    const python = await pandas()
    if (python === null) return { reason: 'there is no Python 3.10 or later with pip' }
    const pyarrow = await pythonPackages('pyarrow', ['pyarrow'], { alone: true })
    return async (parquet, snapshot, ids) => {
      const time = formatTimestamp(snapshot).slice(0, -1)
      const printed = await python(scriptPath('pandas_snapshot.py'), pyarrow, parquet, time, ids.join(','))
      const { rows, ...rest } = JSON.parse(printed) as Omit<PandasSnapshot, 'rows'> & {
        readonly rows: Readonly<Record<string, FeatureValues>>
      }
      return {
        ...rest,
        rows: new Map(Object.entries(rows).map(([id, values]) => [Number(id), zeroForIdle(values)])),
      }
    }
  } catch (error) {
    return { reason: `pandas could not be installed (${messageOf(error).split('\n')[0]})` }
  }
}

/** Its outer join leaves the count of an idle week null; ours is 0. */
function zeroForIdle(values: FeatureValues): FeatureValues {
  const [total, average, largest, count = null, distinct] = values
  return [total ?? null, average ?? null, largest ?? null, count ?? 0, distinct ?? null]
}
