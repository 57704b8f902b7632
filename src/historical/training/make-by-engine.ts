import { EngineUnsuitable } from '../../errors.ts'
import type { FeatureView } from '../../registry/registry.ts'
import type { FileJoins } from '../../stores/file-join.ts'
import type { ViewFiles } from '../../stores/view-files.ts'
import {
  type AskedEngine,
  type ChosenEngine,
  chooseEngine,
  type EngineView,
  type TrainingEngine,
} from '../plan/choose-engine.ts'
import { joinedSpine, makeJoinedTrainingSet, planSet, type SetPlan } from './joined-training-set.ts'
import {
  type MadeTrainingSet,
  makeTrainingSet,
  type TrainingRequest,
  type TrainingSources,
} from './make-training-set.ts'
import { tableEstimates } from './table-estimates.ts'

/** What joins over files. */
export interface TrainingEngines {
  readonly viewFiles: ViewFiles<FeatureView>
  readonly joins: Readonly<Record<Exclude<TrainingEngine, 'postgres'>, FileJoins>>
  /** Whether there is a folder to export what stands in Postgres into. */
  readonly hasExports: boolean
  readonly hasSpark: boolean
  readonly memoryBytes: number
}

export interface EngineSources extends TrainingSources {
  /** Null: Postgres makes all training sets. */
  readonly engines: TrainingEngines | null
}

export interface EngineRequest extends TrainingRequest {
  readonly engine: AskedEngine
  /** Whether it is refused if that engine cannot; else Postgres takes its place. */
  readonly isBinding?: boolean
}

export interface EngineMade extends MadeTrainingSet, ChosenEngine {}

/** A training set by the engine that was asked for or that its size asks for; the answers are the same. @throws what the engines throw; EngineUnsuitable. */
export async function makeByEngine(sources: EngineSources, request: EngineRequest): Promise<EngineMade> {
  const set = planSet(request)
  const chosen = await engineFor(sources, request, set)
  const { engines } = sources
  if (chosen.engine === 'postgres' || engines === null)
    return { ...(await makeTrainingSet(sources, request)), ...chosen }
  const joined = {
    snapshots: sources.snapshots,
    viewFiles: engines.viewFiles,
    joins: engines.joins[chosen.engine],
  }
  return { ...(await makeJoinedTrainingSet(joined, request, set)), ...chosen }
}

/** Of so few nothing more is looked at. */
const fewRows = 10_000

type EngineQuestion = Pick<EngineRequest, 'engine' | 'isBinding' | 'spine' | 'rows' | 'visibleIn' | 'files'>

/** Reads no row of a view: the spine's columns are looked at, and what the stores know of their size. @throws EngineUnsuitable */
export async function engineFor(
  sources: Pick<EngineSources, 'engines' | 'snapshots'>,
  request: EngineQuestion,
  set: SetPlan,
): Promise<ChosenEngine> {
  const { engine: asked, isBinding = false } = request
  const chosen = await suitableEngine(sources, request, set)
  if (isBinding && asked !== 'auto' && chosen.engine !== asked)
    throw new EngineUnsuitable(
      `${asked} cannot make this training set: ${chosen.because}; leave the engine out, or ask for auto (ENGINE_UNSUITABLE)`,
    )
  return chosen
}

async function suitableEngine(
  { engines, snapshots }: Pick<EngineSources, 'engines' | 'snapshots'>,
  request: EngineQuestion,
  { answers, spinePlan }: SetPlan,
): Promise<ChosenEngine> {
  const { engine: asked, spine, visibleIn, files } = request
  if (engines === null) return { engine: 'postgres', because: 'no other engine is set up' }
  if (asked === 'postgres') return { engine: 'postgres', because: 'it was asked for' }
  const facts = {
    ...{
      asked,
      hasExports: engines.hasExports,
      hasSpark: engines.hasSpark,
      memoryBytes: engines.memoryBytes,
    },
  }
  const [computed] = answers.plan.computations
  if (computed !== undefined)
    return chooseEngine({
      ...{ ...facts, spineRows: null, views: [] },
      unfit: `the function of the on-demand view "${computed.view.name}" runs in this process`,
    })
  if (spine.opened.form !== 'TYPED')
    return chooseEngine({
      ...{ ...facts, spineRows: null, views: [] },
      unfit: 'the values of a text spine are read one by one; Parquet and Arrow have types',
    })
  const { rows, unfit } = await engines.joins.duckdb.inspect(joinedSpine(request, spinePlan))
  const seen = [...new Set(answers.reads.map(({ read }) => read.view))]
  if (asked === 'auto' && rows <= fewRows && seen.every((view) => view.source?.kind !== 'parquet'))
    return {
      engine: 'postgres',
      because: `an index finds at most ${fewRows.toLocaleString('en')} rows soonest`,
    }
  const snapshot = await snapshots.open({ connections: 1, visibleIn, files })
  try {
    const estimates = await tableEstimates(answers, snapshot)
    const views: EngineView[] = []
    for (const view of seen) {
      const stored = estimates.get(view.id)?.rows ?? 0
      const unfitView = await engines.viewFiles.unfitFor(view)
      views.push({
        name: view.name,
        isInFiles: view.source?.kind === 'parquet',
        rows: stored,
        toExport: unfitView === null ? await engines.viewFiles.toExport(view, stored) : 0,
        unfit: unfitView,
      })
    }
    const reason =
      unfit === null ? null : `${unfit}, so that its values are read one by one: spine of ${spine.path}`
    return chooseEngine({ ...facts, spineRows: rows, views, unfit: reason })
  } finally {
    await snapshot.close()
  }
}
