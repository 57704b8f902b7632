import type { FeatureView } from '../../registry/registry.ts'
import type { JoinedRead } from '../../stores/file-join.ts'
import type { ViewInFiles } from '../../stores/view-files.ts'
import type { ChosenEngine, TrainingEngine } from '../plan/choose-engine.ts'
import { type JoinedSources, joinedReads, joinedSpine, type SetPlan } from './joined-training-set.ts'
import type { TrainingRequest } from './make-training-set.ts'
import { tableEstimates } from './table-estimates.ts'

type ExplainedSet = Pick<TrainingRequest, 'spine' | 'rows' | 'knownAt' | 'visibleIn' | 'files'>

interface FileEngine extends ChosenEngine {
  readonly engine: Exclude<TrainingEngine, 'postgres'>
}

/**
 * How an engine would make a training set of files: of each read its files, what would be exported into them first and what is
 * estimated of its rows; and the statements. The spine is read and counted; nothing is exported. @throws what `make` throws before it writes.
 */
export async function explainJoinedSet(
  { snapshots, viewFiles, joins }: JoinedSources,
  { engine, because }: FileEngine,
  request: ExplainedSet,
  { answers, spinePlan }: SetPlan,
): Promise<string> {
  const { visibleIn, files, knownAt } = request
  const snapshot = await snapshots.open({ connections: 1, visibleIn, files })
  try {
    const estimates = await tableEstimates(answers, snapshot)
    const views = [...new Set(answers.reads.map(({ read }) => read.view))]
    const found = new Map<string, ViewInFiles>()
    const amounts = new Map<string, string>()
    for (const view of views) {
      found.set(view.id, await viewFiles.filesThere(view))
      const rows = estimates.get(view.id)?.rows ?? 0
      amounts.set(view.id, amountOf(view, rows, await viewFiles.toExport(view, rows)))
    }
    const reads = joinedReads(answers, found)
    const { spine, statements } = await joins.explain({
      ...{ reads, knownAt, takenAt: snapshot.takenAt },
      spine: joinedSpine(request, spinePlan),
    })
    const lines = [`by ${engine}: ${because}`, `${spine.rows.toLocaleString('en')} rows of the spine`]
    for (const [index, { read }] of answers.reads.entries()) {
      const name = read.role === null ? read.view.name : `${read.view.name} as ${read.role}`
      lines.push('', `${name}: ${wayOf(reads[index])}`, `  ${amounts.get(read.view.id)}`)
      if (statements.kind === 'BY_READ') lines.push(...indented(statements.sql[index] ?? ''))
    }
    if (statements.kind === 'SCRIPT') lines.push('', 'one script for all:', ...indented(statements.sql))
    return `${lines.join('\n')}\n`
  } finally {
    await snapshot.close()
  }
}

function wayOf(read: JoinedRead | undefined): string {
  const place = read?.files.path
  return read?.kind === 'WINDOWS'
    ? `the windows of each row, of the events in ${place}`
    : `the newest row at the time of each, of the rows in ${place}`
}

function amountOf(view: FeatureView, rows: number, toExport: number): string {
  const what = view.kind === 'STREAM' ? 'events' : 'rows'
  const all = `about ${Math.round(rows).toLocaleString('en')} ${what}`
  return toExport > 0
    ? `${all}, of which about ${Math.round(toExport).toLocaleString('en')} are exported first`
    : all
}

function indented(sql: string): readonly string[] {
  return sql
    .trimEnd()
    .split('\n')
    .map((line) => `  ${line}`)
}
