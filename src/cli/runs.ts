import { formatTimestamp, type Micros } from '../definitions/timestamp.ts'
import { BadUserInput } from '../errors.ts'
import { recordedNames } from '../registry/recorded-names.ts'
import { suggest } from '../registry/suggest.ts'
import { type Run, type RunKind, runKinds } from '../stores/run-store.ts'
import { argumentTimestamp } from './argument-timestamp.ts'
import { jsonText } from './json-text.ts'
import { namedViews } from './named-views.ts'
import { textTable } from './text-table.ts'
import { withStores } from './with-stores.ts'

interface RunsArguments {
  readonly kind?: string
  readonly view?: string
  readonly since?: string
  readonly json?: boolean
}

const shownRuns = 100

/** `featuregraph runs`: the newest 100. */
export async function listRuns({ kind, view, since, json = false }: RunsArguments): Promise<void> {
  const filter = { kind: argumentKind(kind), since: argumentTimestamp('--since', since) }
  await withStores('UNUSED', async ({ registry, stores }) => {
    if (view !== undefined) namedViews(registry, [view])
    const { idOf, nameOf } = recordedNames({ ...registry, eventSources: [] })
    const question = {
      ...filter,
      view: view === undefined ? null : idOf(view),
      first: shownRuns + 1,
      after: null,
    }
    const found = (await stores.runs.runs(question)).map((run) => ({
      ...run,
      view: run.view && nameOf(run.view),
    }))
    if (found.length > shownRuns) process.stderr.write(`only the newest ${shownRuns} are shown\n`)
    if (json) {
      process.stdout.write(jsonText({ runs: found.slice(0, shownRuns).map(shownRun) }))
      return
    }
    const rows = found
      .slice(0, shownRuns)
      .map((run) => [
        formatTimestamp(run.startedAt),
        run.kind,
        run.view ?? '-',
        run.state,
        seconds(run.startedAt, run.finishedAt),
        String(run.rowsRead ?? '-'),
        String(run.rowsWritten ?? '-'),
        run.error ?? '',
      ])
    const head = ['STARTED', 'KIND', 'VIEW', 'STATE', 'SECONDS', 'READ', 'WRITTEN', 'ERROR']
    process.stdout.write(textTable([head, ...rows]))
  })
}

function shownRun({ asOf, startedAt, finishedAt, ...run }: Run): object {
  const time = (micros: Micros | null): string | null => (micros === null ? null : formatTimestamp(micros))
  return { ...run, asOf: time(asOf), startedAt: time(startedAt), finishedAt: time(finishedAt) }
}

function argumentKind(text: string | undefined): RunKind | null {
  if (text === undefined) return null
  const found = runKinds.find((kind) => kind.toLowerCase() === text.toLowerCase())
  if (found) return found
  const known = runKinds.map((kind) => kind.toLowerCase())
  throw new BadUserInput(`there is no kind of run ${JSON.stringify(text)}; ${suggest(text, known)}`)
}

function seconds(startedAt: Micros, finishedAt: Micros | null): string {
  return finishedAt === null ? '-' : ((finishedAt - startedAt) / 1_000_000).toFixed(1)
}
