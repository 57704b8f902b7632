import type { Config } from '../config/config.ts'
import type { FeatureRows } from '../stores/feature-rows.ts'
import type { ParquetRows } from '../stores/parquet-rows.ts'

export interface ParquetRowsPlaces {
  readonly config: Pick<Config, 'lake' | 'duckDbMemory' | 'offlineTimeoutMs'>
  readonly database: Pick<FeatureRows, 'deletedRows' | 'now'>
  readonly countNonFinite: (view: string) => void
}

/** Rows in Parquet files by DuckDB, which is loaded with the first view that stands there. */
export function parquetRows({ config, database, countNonFinite }: ParquetRowsPlaces): ParquetRows {
  let loading: Promise<ParquetRows> | null = null
  const load = (): Promise<ParquetRows> => {
    loading ??= import('../stores/duckdb/lake/parquet-rows.ts').then(({ duckDbParquetRows }) =>
      duckDbParquetRows({
        ...{ database, countNonFinite, lake: config.lake },
        memoryLimit: config.duckDbMemory,
        timeoutMs: config.offlineTimeoutMs,
      }),
    )
    return loading
  }
  return {
    asOfJoin: async (join, signal) => (await load()).asOfJoin(join, signal),
    storedRows: async (request, signal) => (await load()).storedRows(request, signal),
    newestRows: async (request, receive) => (await load()).newestRows(request, receive),
    materializeLag: async (view, now, since) => (await load()).materializeLag(view, now, since),
    isLargerThan: async (view, rows) => (await load()).isLargerThan(view, rows),
    newestOfSample: async (view, now, keys) => (await load()).newestOfSample(view, now, keys),
    newestKeys: async (view, now, limit) => (await load()).newestKeys(view, now, limit),
    exampleKeys: async (view, now, count) => (await load()).exampleKeys(view, now, count),
    checkViews: async (views) => (views.length === 0 ? [] : (await load()).checkViews(views)),
    estimate: async (view) => (await load()).estimate(view),
    keysOf: async (view, deletion) => (await load()).keysOf(view, deletion),
    close: async () => (await loading)?.close(),
  }
}
