import { mkdtemp, rm } from 'node:fs/promises'
import { availableParallelism, tmpdir } from 'node:os'
import path from 'node:path'
import type { DuckDBInstance } from '@duckdb/node-api'
import { isObjectUrl, type LakeAccess } from '../../lake-access.ts'
import type { ParquetOfflineView } from '../../offline-view.ts'
import { loadLakeExtensions } from '../lake-extensions.ts'
import { openDuckDb } from '../open-duckdb.ts'

export interface LakeInstanceOptions {
  /** As `2GB`: what does not fit goes to a temporary folder. */
  readonly memoryLimit: string
  readonly lake: LakeAccess
}

export interface LakeInstance {
  /** The one DuckDB, opened with the first reading, with what the view's path needs. @throws BadUserInput without it */
  readonly instanceFor: (view: ParquetOfflineView) => Promise<DuckDBInstance>
  readonly close: () => Promise<void>
}

interface Opened {
  readonly instance: DuckDBInstance
  readonly temporary: string
}

/** A DuckDB for the process's life: its threads are its own, all readings share its memory limit. */
export function lakeInstance({ memoryLimit, lake }: LakeInstanceOptions): LakeInstance {
  let opening: Promise<Opened> | null = null
  const loading = new Map<string, Promise<void>>()

  async function open(): Promise<Opened> {
    const temporary = await mkdtemp(path.join(tmpdir(), 'featuregraph-duckdb-'))
    const instance = await openDuckDb({
      ...{ place: ':memory:', memoryLimit, temporary, lake },
      // One core is left to those who are answered from the online store.
      threads: Math.max(1, availableParallelism() - 1),
    })
    return { instance, temporary }
  }

  async function load(instance: DuckDBInstance, { source }: ParquetOfflineView): Promise<void> {
    const connection = await instance.connect()
    try {
      await loadLakeExtensions(connection, lake, {
        paths: [source.path],
        isDelta: source.format === 'delta',
      })
    } finally {
      connection.disconnectSync()
    }
  }

  return {
    async instanceFor(view) {
      opening ??= open()
      const { instance } = await opening.catch((error: unknown) => {
        opening = null
        throw error
      })
      const { path: place, format } = view.source
      const needs = `${isObjectUrl(place)} ${format}`
      const loaded = loading.get(needs) ?? load(instance, view)
      loading.set(needs, loaded)
      await loaded.catch((error: unknown) => {
        loading.delete(needs)
        throw error
      })
      return instance
    },
    async close() {
      const opened = await opening?.catch(() => null)
      opening = null
      if (!opened) return
      opened.instance.closeSync()
      await rm(opened.temporary, { recursive: true, force: true })
    },
  }
}
