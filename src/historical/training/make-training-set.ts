import type { Micros } from '../../definitions/timestamp.ts'
import { type ComputeThreadOptions, openComputeThread } from '../../on-demand/open-compute-thread.ts'
import { planService } from '../../online/service-row.ts'
import type { FeatureService } from '../../registry/registry.ts'
import type { AsOfSnapshots } from '../../stores/as-of-snapshot.ts'
import type { OpenedFile, RowRange } from '../../stores/file-reader.ts'
import type { ReadFiles } from '../../stores/read-files.ts'
import type { FeatureCounts, SpineCounts } from '../../stores/training-counts.ts'
import type { ColumnSummary, TrainingFiles, TrainingFormat } from '../../stores/training-file.ts'
import type { ReadLimit } from '../plan/read-limit.ts'
import { readSpine, type SpineReading, type SpineRows, spineColumns } from '../spine/read-spine.ts'
import { planSpine, type SpineOptions } from '../spine/spine-plan.ts'
import {
  type AnsweredColumn,
  type AnswerPlan,
  answerColumns,
  planAnswers,
  planJoins,
} from './answer-columns.ts'
import type { KnownAt } from './known-at.ts'
import { type MadeOptions, madeColumns, madeValues } from './made-columns.ts'
import { tableEstimates } from './table-estimates.ts'
import { tallyOf } from './tally.ts'

export interface TrainingSources {
  readonly snapshots: AsOfSnapshots
  readonly trainingFiles: TrainingFiles
  /** Where the functions of on-demand views are, and what is called with what they do wrong. */
  readonly onDemand: Omit<ComputeThreadOptions, 'views'>
}

export interface TrainingRequest extends MadeOptions {
  readonly service: FeatureService
  readonly spine: SpineOptions & SpineReading & { readonly path: string; readonly opened: OpenedFile }
  /** Of the spine; null: all. The file has these only. */
  readonly rows: RowRange | null
  readonly knownAt: KnownAt
  /** The `visible` of an earlier one: its file once more. Null: all that is there now. */
  readonly visibleIn: string | null
  /** Of that earlier one, see `SnapshotRequest`. */
  readonly files: readonly ReadFiles[]
  readonly out: string
  readonly format: TrainingFormat
  /** Of stored rows that are read, as they are estimated. */
  readonly limit: ReadLimit
  readonly onProgress: (done: number, rows: number) => void
  /** Aborted: it ends, and there is no file. */
  readonly signal: AbortSignal
}

export interface MadeTrainingSet {
  readonly takenAt: Micros
  readonly visible: string
  readonly systemIdentifier: string
  /** Of the views that were read from files. */
  readonly files: readonly ReadFiles[]
  readonly bytes: number
  readonly spine: SpineCounts
  readonly features: readonly FeatureCounts[]
  readonly summaries: readonly ColumnSummary[]
}

const [fewestRows, mostRows, valuesInMemory] = [10_000, 200_000, 4_000_000]
/** Files are read as a whole for every batch. */
const mostRowsOfFiles = 500_000

/**
 * Rows that are answered together: the more there are, the nearer they stand to each other in the index (200,000 take two thirds
 * of what 50,000 take of the database), and the more memory their values need, of two batches at once.
 */
export function batchRows({ plan: { entries }, reads }: AnswerPlan): number {
  const ofFiles = reads.some(({ read }) => read.view.source?.kind === 'parquet')
  const most = Math.min(ofFiles ? mostRowsOfFiles : mostRows, Math.floor(valuesInMemory / entries.length))
  return Math.max(fewestRows, most)
}

const connections = 2

/**
 * One output row per row of the spine, in order: its columns, then the features as of the row's own time, as an online answer
 * then would have had them. All rows are read on one snapshot of the offline store. Rows stream: memory does not grow with them.
 * @throws BadUserInput for a spine that cannot be used; OnDemandFailed; StoreFailed; the signal's reason. No file stands under the name of `out`
 * then that was not there before.
 */
export async function makeTrainingSet(
  { snapshots, trainingFiles, onDemand }: TrainingSources,
  request: TrainingRequest,
): Promise<MadeTrainingSet> {
  const { service, spine, rows, knownAt, visibleIn, files, out, format, signal } = request
  const plan = planService(service)
  const columns = madeColumns(plan, request)
  const names = columns.map(({ name }) => name)
  const answers = planAnswers(plan)
  const spinePlan = planSpine(spine.opened, service, names, spine)
  const { form } = spine.opened
  const reading = begun(readSpine(spine.opened, spinePlan, { ...spine, rows }, batchRows(answers)))
  const [file, snapshot] = await bothOpened(
    trainingFiles.open({
      spine: { path: spine.opened.parquet ?? spine.path, form, columns: spineColumns(spinePlan, form), rows },
      ...{ columns, out, format },
    }),
    snapshots.open({ connections, visibleIn, files }),
  ).catch(async (error: unknown) => {
    await reading.return()
    throw error
  })
  try {
    const tally = tallyOf(plan, snapshot.takenAt)
    const thread = openComputeThread({ ...onDemand, views: plan.computations.map(({ view }) => view) })
    const estimates = await tableEstimates(answers, snapshot)
    const { takenAt, visible, systemIdentifier } = snapshot
    let underWay: Answering | null = null
    const finish = async ({ rows: answeredRows, answered }: Answering): Promise<void> => {
      const found = await answered
      tally.add(answeredRows, found)
      const values = madeValues(plan, request, found)
      await file.append({ rows: answeredRows.rows, spine: answeredRows.columns, columns: values })
      request.onProgress(answeredRows.done, tally.spine().rows)
    }
    try {
      for await (const read of reading) {
        signal.throwIfAborted()
        // The database answers these while those before are written.
        const joins = planJoins(read, answers, { knownAt, estimates })
        request.limit.add(
          joins.flatMap(({ ways }) => ways),
          read.done,
        )
        const next = answering(
          read,
          answerColumns(read, answers, joins, { snapshot, compute: thread.compute }),
        )
        if (underWay) await finish(underWay)
        underWay = next
      }
      if (underWay) await finish(underWay)
    } finally {
      await underWay?.answered.catch(() => {})
      await thread.close()
    }
    signal.throwIfAborted()
    const { bytes, summaries } = await file.write()
    const counts = { spine: tally.spine(), features: tally.features() }
    return { ...{ takenAt, visible, systemIdentifier, bytes, summaries }, ...counts, files: snapshot.files() }
  } finally {
    await reading.return().finally(() => snapshot.close().finally(file.close))
  }
}

/** Its first item is on its way before it is asked for; `return` waits until nothing is read any more. */
function begun<Item>(
  items: AsyncGenerator<Item, void>,
): AsyncIterable<Item> & { return: () => Promise<void> } {
  const first = items.next()
  // It is asked for later, or not at all.
  first.catch(() => {})
  return {
    async *[Symbol.asyncIterator]() {
      const { done, value } = await first
      if (done) return
      yield value
      yield* items
    },
    async return() {
      await first.catch(() => {})
      await items.return()
    },
  }
}

interface Closable {
  readonly close: () => Promise<void>
}

/** At once, as each waits for something else; where one cannot be opened the other is closed. */
async function bothOpened<One extends Closable, Other extends Closable>(
  ...opening: readonly [Promise<One>, Promise<Other>]
): Promise<readonly [One, Other]> {
  const [one, other] = await Promise.allSettled(opening)
  if (one.status === 'fulfilled' && other.status === 'fulfilled') return [one.value, other.value]
  if (one.status === 'fulfilled') await one.value.close()
  if (other.status === 'fulfilled') await other.value.close()
  return await Promise.all(opening)
}

interface Answering {
  readonly rows: SpineRows
  readonly answered: Promise<readonly AnsweredColumn[]>
}

function answering(rows: SpineRows, answered: Promise<readonly AnsweredColumn[]>): Answering {
  // It is awaited later; a failure meanwhile is no unhandled one.
  answered.catch(() => {})
  return { rows, answered }
}
