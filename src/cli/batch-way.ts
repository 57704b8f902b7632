import { type BatchEngine, batchEngines } from '../config/settings.ts'
import { BadUserInput } from '../errors.ts'
import type { BatchView, Registry } from '../registry/registry.ts'
import type { BatchArguments } from './batch-question.ts'
import { namedViews } from './named-views.ts'

/** What computes the snapshots, and where their rows go. */
export type BatchWay =
  | { readonly kind: 'POSTGRES' }
  /** They were computed elsewhere. */
  | { readonly kind: 'FILES'; readonly folder: string }
  | {
      readonly kind: 'ENGINE'
      readonly engine: 'duckdb' | 'spark'
      /** Null: the stored events are exported. */
      readonly events: string | null
      /** Null: into the offline store. */
      readonly out: string | null
    }

/** @throws BadUserInput for arguments that do not go together. */
export function readWay(options: BatchArguments, usual: BatchEngine): BatchWay {
  const { fromFiles, events, out, stale, replacePushed } = options
  const engine = readEngine(options.engine) ?? usual
  if (fromFiles !== undefined) {
    refuseBeside('--from-files', 'the files say what was computed', {
      '--engine': options.engine,
      '--events': events,
      '--out': out,
      '--stale': stale,
    })
    return { kind: 'FILES', folder: fromFiles }
  }
  if (engine === 'postgres') {
    refuseBeside('Postgres as the engine', 'they go with --engine duckdb or spark', {
      '--events': events,
      '--out': out,
    })
    return { kind: 'POSTGRES' }
  }
  if (out !== undefined)
    refuseBeside('--out', 'a folder has no pushed rows and knows of no later events', {
      '--stale': stale,
      '--replace-pushed': replacePushed,
    })
  return { kind: 'ENGINE', engine, events: events ?? null, out: out ?? null }
}

function readEngine(text: string | undefined): BatchEngine | null {
  if (text === undefined) return null
  const engine = batchEngines.find((one) => one === text)
  if (engine !== undefined) return engine
  throw new BadUserInput(`--engine expects one of ${batchEngines.join(', ')}; got ${JSON.stringify(text)}`)
}

function refuseBeside(what: string, why: string, given: Readonly<Record<string, unknown>>): void {
  const found = Object.keys(given).filter((name) => given[name] !== undefined && given[name] !== false)
  if (found.length > 0) throw new BadUserInput(`${found.join(', ')} cannot stand beside ${what}: ${why}`)
}

/** The views that are meant; without names all that are computed in batch. */
export function batchViewsOf(registry: Registry, names: readonly string[]): readonly BatchView[] {
  const asked = names.length === 0 ? registry.views : namedViews(registry, names)
  const views = asked.filter((view) => view.kind === 'BATCH')
  const others = asked.filter((view) => view.kind !== 'BATCH').map(({ name }) => name)
  if (names.length > 0 && others.length > 0)
    throw new BadUserInput(`not computed in batch by their definition: ${others.join(', ')}`)
  if (views.length === 0) throw new BadUserInput('no feature view is computed in batch')
  return views
}

/** Of one folder: its rows are one view's. */
export function singleView(
  views: readonly BatchView[],
  option: '--from-files' | '--out' | '--events',
): BatchView {
  const [view] = views
  if (view !== undefined && views.length === 1) return view
  throw new BadUserInput(
    `${option} is about one feature view; name one of ${views.map(({ name }) => name).join(', ')}`,
  )
}
