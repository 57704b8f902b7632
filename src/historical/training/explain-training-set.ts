import type { Way } from '../../stores/as-of-snapshot.ts'
import type { OfflineView } from '../../stores/offline-view.ts'
import type { ChosenWay } from '../plan/choose-way.ts'
import { readSpine } from '../spine/read-spine.ts'
import { planJoins } from './answer-columns.ts'
import { explainJoinedSet } from './explain-joined-set.ts'
import { planSet, type SetPlan } from './joined-training-set.ts'
import { type EngineRequest, type EngineSources, engineFor } from './make-by-engine.ts'
import { batchRows } from './make-training-set.ts'
import { tableEstimates } from './table-estimates.ts'

export type ExplainRequest = Pick<
  EngineRequest,
  | 'service'
  | 'spine'
  | 'rows'
  | 'knownAt'
  | 'visibleIn'
  | 'files'
  | 'engine'
  | 'isBinding'
  | 'vector'
  | 'statuses'
  | 'limit'
>

/** How a view is read, of all batches that are read in one way. */
interface ReadInWay {
  readonly view: OfflineView
  readonly way: Way
  readonly because: string
  readonly table: ChosenWay['table']
  rows: number
  reads: number
}

/**
 * How a training set would be made, as text: by which engine and why, for each view the way that its rows are found, what is
 * estimated of it, and the engine's statements. The spine is read and checked, no row of a view is. @throws what `makeByEngine`
 * throws before it writes.
 */
export async function explainTrainingSet(
  { snapshots, engines }: Pick<EngineSources, 'snapshots' | 'engines'>,
  request: ExplainRequest,
): Promise<string> {
  const set = planSet(request)
  const { engine, because } = await engineFor({ snapshots, engines }, request, set)
  if (engine === 'postgres' || engines === null) return await explainStored(snapshots, because, request, set)
  const { viewFiles } = engines
  const joined = { snapshots, viewFiles, joins: engines.joins[engine] }
  return await explainJoinedSet(joined, { engine, because }, request, set)
}

async function explainStored(
  snapshots: EngineSources['snapshots'],
  because: string,
  { spine, rows, knownAt, visibleIn, files, limit }: ExplainRequest,
  { answers, spinePlan }: SetPlan,
): Promise<string> {
  const size = batchRows(answers)
  const snapshot = await snapshots.open({ connections: 1, visibleIn, files })
  try {
    const estimates = await tableEstimates(answers, snapshot)
    const found = new Map<string, ReadInWay>()
    let read = 0
    for await (const some of readSpine(spine.opened, spinePlan, { ...spine, rows }, size)) {
      read += some.rows
      for (const { views, ways } of planJoins(some, answers, { knownAt, estimates })) {
        limit.add(ways, some.done)
        ways.forEach(({ way, because, reads, asked, table }, place) => {
          const view = views[place]
          if (!view) return
          const identity = `${view.id} ${way}`
          const own = found.get(identity) ?? { view, way, because, table, rows: 0, reads: 0 }
          own.rows += asked.rows
          own.reads += reads
          found.set(identity, own)
        })
      }
    }
    const lines = [
      `by postgres: ${because}`,
      `${read.toLocaleString('en')} rows of the spine, at most ${size.toLocaleString('en')} at once`,
    ]
    for (const { view, way, because, table, rows: asked, reads } of found.values())
      lines.push(
        '',
        `${view.name}: ${way}, ${because}`,
        `  ${asked.toLocaleString('en')} different entity rows; about ${reads.toLocaleString('en')} stored rows are read of ${table.rows.toLocaleString('en')}, of ${table.keys.toLocaleString('en')} keys`,
        ...snapshot
          .statement(view, way)
          .split('\n')
          .map((line) => `  ${line}`),
      )
    return `${lines.join('\n')}\n`
  } finally {
    await snapshot.close()
  }
}
