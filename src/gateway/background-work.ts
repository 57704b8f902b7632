import type { Config } from '../config/config.ts'
import { followedSources } from '../ingest/tiles/followed-sources.ts'
import { tasksOf } from '../ingest/worker/due-runs.ts'
import { expires } from '../ingest/worker/expire-events.ts'
import type { Registry } from '../registry/registry.ts'
import type { BackgroundWork, RunningProcess } from '../stores/process-registry.ts'

/** Work without which what the definitions promise does not happen. */
export interface NeededWork {
  readonly work: Extract<BackgroundWork, 'worker' | 'stream'>
  /** That runs it in a process of its own. */
  readonly command: string
  /** Names of the feature views that need it. */
  readonly views: readonly string[]
  /** Names of the event sources that need it. */
  readonly sources: readonly string[]
  /** What it does, as `computes the snapshots of daily`. */
  readonly does: string
}

/** What the definitions need beside a gateway; nothing where rows are only pushed and read. Pure. */
export function neededWork(
  { views, eventSources }: Pick<Registry, 'views' | 'eventSources'>,
  { streamUrl }: Pick<Config, 'streamUrl'>,
): readonly NeededWork[] {
  const worked = views.filter((view) => tasksOf(view).length > 0)
  const expiring = eventSources.filter(expires)
  const followed = [...followedSources(views).values()].flat()
  const read = streamUrl === null ? [] : eventSources.filter(({ topic }) => topic !== null)
  const names = (all: readonly { readonly name: string }[]): readonly string[] => all.map(({ name }) => name)
  const needed: readonly NeededWork[] = [
    {
      ...{ work: 'worker', command: 'featuregraph worker', views: names(worked), sources: names(expiring) },
      does: clauses(
        clause('computes the snapshots of', names(worked.filter(({ kind }) => kind === 'BATCH'))),
        clause('materializes', names(worked.filter(({ online }) => online))),
        clause('drops old events of', names(expiring)),
      ),
    },
    {
      ...{ work: 'stream', command: 'featuregraph stream', views: names(followed), sources: names(read) },
      does: clauses(
        clause('applies events to', names(followed)),
        clause(
          'reads the topics of',
          read.map(({ name }) => name),
        ),
      ),
    },
  ]
  return needed.filter(({ views: of, sources }) => of.length > 0 || sources.length > 0)
}

/** Of what is needed, the work that none of these processes runs. */
export function workNotRunning(
  needed: readonly NeededWork[],
  running: readonly Pick<RunningProcess, 'runs'>[],
): readonly NeededWork[] {
  return needed.filter(({ work }) => !running.some(({ runs }) => runs.includes(work)))
}

/** What is missing and what to do, in one sentence. */
export function notRunningMessage({ does, command }: NeededWork): string {
  return `no process ${does}: run \`${command}\``
}

function clause(does: string, names: readonly string[]): string | null {
  return names.length === 0 ? null : `${does} ${names.join(', ')}`
}

function clauses(...all: readonly (string | null)[]): string {
  return all.filter((one) => one !== null).join('; ')
}
