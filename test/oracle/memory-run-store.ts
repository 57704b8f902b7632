import { randomUUID } from 'node:crypto'
import { Cancelled } from '../../src/errors.ts'
import type { Run, RunStore, Watermark } from '../../src/stores/run-store.ts'

/** Runs and watermarks in plain code, inside one process: a run cannot lose its process here. */
export function memoryRunStore(): RunStore {
  const runs: Run[] = []
  const watermarks = new Map<string, Watermark>()
  const running = new Map<string, Promise<unknown>>()

  return {
    async withRun(subject, { now, onWait }, work) {
      const name = `${subject.kind}/${subject.view}`
      while (running.has(name)) {
        onWait()
        await running.get(name)
      }
      const place = runs.length
      const started: Run = {
        ...subject,
        id: randomUUID(),
        state: 'RUNNING',
        startedAt: now(),
        finishedAt: null,
        rowsRead: null,
        rowsWritten: null,
        error: null,
      }
      runs.push(started)
      const working = work((rowsRead) => {
        runs[place] = { ...started, rowsRead }
      })
      running.set(
        name,
        working.catch(() => {}),
      )
      try {
        const { outcome, result } = await working
        runs[place] = { ...started, ...outcome, finishedAt: now() }
        return result
      } catch (error) {
        runs[place] = {
          ...started,
          state: error instanceof Cancelled ? 'CANCELLED' : 'FAILED',
          error: String(error),
          finishedAt: now(),
        }
        throw error
      } finally {
        running.delete(name)
      }
    },
    async runs({ kind, view, since, first, after }) {
      return runs
        .filter((run) => kind === null || run.kind === kind)
        .filter((run) => view === null || run.view === view)
        .filter((run) => since === null || run.startedAt >= since)
        .sort((left, right) => (isNewer(left, right) ? -1 : 1))
        .filter((run) => after === null || isNewer(after, run))
        .slice(0, first)
    },
    readWatermark: async (view) => watermarks.get(view) ?? null,
    announceMarker: async () => {},
    beginFilling: async (view, filling) => {
      const watermark = watermarks.get(view)
      if (watermark) watermarks.set(view, { ...watermark, filling })
    },
    moveWatermark: async (view, watermark) => {
      watermarks.set(view, watermark)
    },
  }
}

type Place = Pick<Run, 'id' | 'startedAt'>

function isNewer(left: Place, right: Place): boolean {
  return left.startedAt === right.startedAt ? left.id > right.id : left.startedAt > right.startedAt
}
