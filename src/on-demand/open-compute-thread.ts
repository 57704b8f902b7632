import { Worker } from 'node:worker_threads'
import type { Value } from '../definitions/value.ts'
import { messageOf, OnDemandFailed } from '../errors.ts'
import type { OnDemandView } from '../registry/registry.ts'
import { type ComputedRow, computePlan, type OnComputeFailure } from './compute-row.ts'
import type { ThreadAnswer } from './thread-messages.ts'

/** On-demand views over many rows, beside the loop of this process. */
export interface ComputeThread {
  /**
   * One answer a row, in order; a row's inputs are in the view's order. One batch after the other.
   * @throws OnDemandFailed where the functions are not there, or one of them does not come to an end.
   */
  readonly compute: (
    view: OnDemandView,
    rows: readonly (readonly (Value | null)[])[],
  ) => Promise<readonly ComputedRow[]>
  readonly close: () => Promise<void>
}

export interface ComputeThreadOptions {
  /** Of the definition files: the thread loads them itself. */
  readonly folder: string
  readonly views: readonly OnDemandView[]
  readonly onFailure: OnComputeFailure
  /** For one batch. */
  readonly deadlineMs?: number
}

const defaultDeadlineMs = 30_000
/** For loading the files. */
const loadMs = 60_000
/** A function that keeps what it is given must not take the process with it. */
const maxHeapMb = 512

/**
 * A thread of its own, so that a function without an end ends with an error instead of holding the process. Started with the
 * first batch.
 */
export function openComputeThread(options: ComputeThreadOptions): ComputeThread {
  const { folder, views, onFailure, deadlineMs = defaultDeadlineMs } = options
  const plans = views.map(computePlan)
  let worker: Worker | null = null
  let last: Promise<unknown> = Promise.resolve()

  /** The next message of the thread, or why there is none. */
  function next(thread: Worker, what: string, withinMs: number): Promise<ThreadAnswer> {
    return new Promise((resolve, reject) => {
      const settle = (done: () => void): void => {
        clearTimeout(timer)
        thread.off('message', onMessage).off('error', onError).off('exit', onExit)
        done()
      }
      const fail = (problem: string, cause?: unknown): void => {
        if (worker === thread) worker = null
        settle(() => reject(new OnDemandFailed(`${what} ${problem}`, { cause })))
      }
      const onMessage = (message: ThreadAnswer): void => settle(() => resolve(message))
      const onError = (error: unknown): void => fail(`failed: ${messageOf(error)}`, error)
      const onExit = (): void => fail('ended its thread')
      const timer = setTimeout(() => {
        fail(
          `did not come to an end within ${withinMs / 1_000} s; look for a loop without an end, or for work that takes long`,
        )
        thread.terminate().catch(() => {})
      }, withinMs)
      thread.on('message', onMessage).on('error', onError).on('exit', onExit)
    })
  }

  async function start(): Promise<Worker> {
    const thread = newThread({ folder, plans })
    // What fails between two batches shows with the next.
    thread.on('error', () => {})
    thread.on('exit', () => {
      if (worker === thread) worker = null
    })
    worker = thread
    const ready = await next(thread, `loading the files in ${folder}`, loadMs)
    if (ready.kind === 'READY' && ready.lacking.length > 0) {
      await close()
      throw new OnDemandFailed(
        `the functions of ${ready.lacking.join(', ')}, as they were applied, are not among the files in ${folder}; take the files of the version that is applied (\`featuregraph plan\` shows how they differ), or apply these`,
      )
    }
    return thread
  }

  async function close(): Promise<void> {
    const thread = worker
    worker = null
    await thread?.terminate()
  }

  async function compute(
    view: OnDemandView,
    rows: readonly (readonly (Value | null)[])[],
  ): Promise<readonly ComputedRow[]> {
    if (rows.length === 0) return []
    const thread = worker ?? (await start())
    const plan = views.indexOf(view)
    if (plan < 0) throw new TypeError(`on-demand view ${view.name} was not given to the thread`)
    const answered = next(
      thread,
      `the function of on-demand view "${view.name}", for ${rows.length} rows,`,
      deadlineMs,
    )
    thread.postMessage({ plan, rows })
    const answer = await answered
    if (answer.kind !== 'ROWS') throw new TypeError('the thread answered out of turn')
    for (const failure of answer.failures) onFailure(failure)
    return answer.rows
  }

  return {
    compute(view, rows) {
      const answer = last.then(() => compute(view, rows))
      last = answer.catch(() => {})
      return answer
    },
    close,
  }
}

function newThread(workerData: object): Worker {
  const resourceLimits = { maxOldGenerationSizeMb: maxHeapMb }
  const isSource = import.meta.url.endsWith('.ts')
  const entry = new URL(isSource ? './start-from-sources.js' : './compute-thread.js', import.meta.url)
  return new Worker(entry, { workerData, resourceLimits, execArgv: [] })
}
