/** Who joins a training set: Postgres by probes, DuckDB or Spark over files. */
export const trainingEngines = ['postgres', 'duckdb', 'spark'] as const
export type TrainingEngine = (typeof trainingEngines)[number]
export type AskedEngine = TrainingEngine | 'auto'

/** A view that a training set reads. */
export interface EngineView {
  readonly name: string
  /** Whether its rows stand in files of their own. */
  readonly isInFiles: boolean
  /** Estimated: feature rows, or events. */
  readonly rows: number
  /** Of them those that would be exported first. */
  readonly toExport: number
  /** Why it cannot be read from files; null: it can. */
  readonly unfit: string | null
}

export interface EngineFacts {
  readonly asked: AskedEngine
  /** Rows of the spine; null: nobody knows before it is read. */
  readonly spineRows: number | null
  readonly views: readonly EngineView[]
  /** Why the spine, or what is computed of it, needs the rows to pass this process; null: they need not. */
  readonly unfit: string | null
  /** Whether this process has a folder that rows may be exported into. */
  readonly hasExports: boolean
  /** Whether a command for Spark was set. */
  readonly hasSpark: boolean
  /** What DuckDB may hold in memory. */
  readonly memoryBytes: number
}

export interface ChosenEngine {
  readonly engine: TrainingEngine
  /** For a reader. */
  readonly because: string
}

/** What a probe of an index costs, with all that goes with it, for a view and row of the spine: docs/scale.md. In µs. */
const probe = 6
/** What a feature row costs that is read, sorted and joined from a file. */
const fileRow = 0.5
/** What an answered row costs over files. */
const answeredRow = 3
const exportedRow = 2
/** Keys, times and row ids of a row, as they are sorted. */
const sortedRowBytes = 32
/** DuckDB sorts on disk what does not fit: slowly, but it ends. Beyond this another machine's memory is worth its start. */
const beyondMemory = 20

/**
 * By size and by where the rows stand. What cannot be done over files is done by Postgres and says why, whatever was asked for:
 * the answers are the same.
 */
export function chooseEngine(facts: EngineFacts): ChosenEngine {
  const { asked, views, hasExports } = facts
  if (asked === 'postgres') return { engine: 'postgres', because: 'it was asked for' }
  const unfit = views.find((view) => view.unfit !== null)
  const inPostgres = views.filter(({ isInFiles }) => !isInFiles)
  const reason =
    facts.unfit ??
    (unfit ? `"${unfit.name}" ${unfit.unfit}` : null) ??
    (inPostgres.length > 0 && !hasExports
      ? `"${inPostgres[0]?.name}" stands in Postgres, and FEATUREGRAPH_FILES names no folder to export it into`
      : null)
  if (reason !== null) return { engine: 'postgres', because: reason }
  if (asked !== 'auto') return { engine: asked, because: 'it was asked for' }
  return bySize(facts, inPostgres)
}

function bySize(
  { spineRows, views, hasSpark, memoryBytes }: EngineFacts,
  inPostgres: readonly EngineView[],
): ChosenEngine {
  const rows = views.reduce((sum, view) => sum + view.rows, 0)
  const sorted = (rows + (spineRows ?? 0)) * sortedRowBytes
  const shown = (number: number): string => Math.round(number).toLocaleString('en')
  const overFiles = (engine: 'duckdb' | 'spark', why: string): ChosenEngine => ({ engine, because: why })
  const isLarge = hasSpark && sorted > beyondMemory * memoryBytes
  const large = `about ${shown(sorted / 2 ** 20)} MB would be sorted, more than ${beyondMemory} times the memory that DuckDB has`
  if (inPostgres.length < views.length)
    return isLarge
      ? overFiles('spark', large)
      : overFiles('duckdb', `"${views.find(({ isInFiles }) => isInFiles)?.name}" stands in files`)
  const asked = spineRows ?? 0
  const probes = asked * views.length * probe
  const toExport = views.reduce((sum, view) => sum + view.toExport, 0)
  const files = toExport * exportedRow + rows * fileRow + asked * answeredRow
  if (probes <= files)
    return {
      engine: 'postgres',
      because: `${shown(asked)} rows are found by an index sooner than ${shown(rows)} stored rows are read${toExport > 0 ? `, of which ${shown(toExport)} would be exported first` : ''}`,
    }
  if (isLarge) return overFiles('spark', large)
  return overFiles(
    'duckdb',
    `${shown(rows)} exported rows are read sooner than ${shown(asked)} rows are found by an index`,
  )
}
