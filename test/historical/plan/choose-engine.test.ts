import { describe, expect, it } from 'vitest'
import {
  chooseEngine,
  type EngineFacts,
  type EngineView,
} from '../../../src/historical/plan/choose-engine.ts'

const view = (more: Partial<EngineView> = {}): EngineView => ({
  ...{ name: 'purchases', isInFiles: false, rows: 10_000_000, toExport: 0, unfit: null },
  ...more,
})

const facts = (more: Partial<EngineFacts> = {}): EngineFacts => ({
  ...{ asked: 'auto', spineRows: 1_000_000, views: [view()], unfit: null },
  ...{ hasExports: true, hasSpark: false, memoryBytes: 2e9 },
  ...more,
})

describe('what joins a training set', () => {
  it('is what was asked for', () => {
    for (const asked of ['postgres', 'duckdb', 'spark'] as const)
      expect(chooseEngine(facts({ asked }))).toEqual({ engine: asked, because: 'it was asked for' })
  })

  it('is Postgres, with the reason, where rows have to pass this process or have no way into files', () => {
    const reasons = [
      [{ unfit: 'column "id" is DOUBLE' }, 'column "id" is DOUBLE'],
      [{ views: [view({ unfit: 'has two definitions' })] }, '"purchases" has two definitions'],
      [{ hasExports: false }, 'FEATUREGRAPH_FILES names no folder'],
    ] as const
    for (const [more, reason] of reasons)
      for (const asked of ['duckdb', 'spark', 'auto'] as const) {
        const { engine, because } = chooseEngine(facts({ asked, ...more }))
        expect(engine).toBe('postgres')
        expect(because).toContain(reason)
      }
  })

  it('is DuckDB where a view stands in files, also without a folder for exports', () => {
    const views = [view({ isInFiles: true })]
    expect(chooseEngine(facts({ views, spineRows: 10, hasExports: false })).engine).toBe('duckdb')
  })

  it('is Postgres for few rows of a large table, and DuckDB for as many rows as are exported', () => {
    expect(chooseEngine(facts({ spineRows: 1_000 })).engine).toBe('postgres')
    const large = facts({ spineRows: 5_000_000 })
    expect(chooseEngine(large).engine).toBe('duckdb')
    // Rows that are to be exported first cost more than they save once.
    expect(chooseEngine({ ...large, views: [view({ toExport: 10_000_000 })] }).engine).toBe('postgres')
  })

  it('is Spark where a cluster is set and what is sorted is many times the memory', () => {
    const views = [view({ isInFiles: true, rows: 5_000_000_000 })]
    expect(chooseEngine(facts({ views, hasSpark: true })).engine).toBe('spark')
    expect(chooseEngine(facts({ views })).engine).toBe('duckdb')
    expect(chooseEngine(facts({ views, hasSpark: true, memoryBytes: 64e9 })).engine).toBe('duckdb')
  })
})
