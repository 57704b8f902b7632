import { formatTimestamp } from '../../definitions/timestamp.ts'
import { BadUserInput, OtherDatabase, OtherDefinitions } from '../../errors.ts'
import type { LaterChanges } from '../../stores/later-changes.ts'
import { type ExportRange, exportColumns } from '../../stores/rows-to-export.ts'
import { type ExportRequest, subjectId } from './export-request.ts'
import type { Manifest } from './manifest.ts'

const anew = 'export into another folder, or with --rebuild, which writes this one again from the beginning'

/**
 * The manifest that a run goes on from; one without parts where the folder is new, and one that forgets how far it came with
 * `rebuild`.
 * @throws BadUserInput, OtherDatabase, OtherDefinitions where the folder holds something else than is asked for.
 */
export async function checkManifest(
  found: Manifest | null,
  path: string,
  changes: LaterChanges,
  request: ExportRequest,
): Promise<Manifest> {
  const { project, subject, definition, rebuild } = request
  const id = subjectId(subject)
  const database = await changes.identity()
  const wanted = {
    ...{ format: 'featuregraph export 1' as const, project, kind: subject.kind, id, database, definition },
    columns: exportColumns(subject).map(({ name, type }) => ({ name, type })),
  }
  const range = { from: request.from ?? null, to: request.to ?? null }
  if (found === null) return { ...wanted, range, point: null, begun: null, parts: [] }
  if (found.kind !== wanted.kind || found.id !== id || found.project !== project)
    throw new BadUserInput(
      `${path} holds ${found.kind === 'EVENTS' ? 'the events of source' : 'the rows of view'} "${found.id}" of project "${found.project}"; expected a folder of its own for "${id}" of project "${project}"`,
    )
  if (rebuild) return { ...wanted, range, point: null, begun: null, parts: found.parts }
  await checkDatabase(found, path, changes, database)
  const differences = differencesOf(found, wanted)
  if (differences.length > 0)
    throw new OtherDefinitions(
      `${path} was exported by another definition of "${id}": ${differences.join('; ')}; ${anew}`,
    )
  refuseNarrower(found.range, request, path)
  return found
}

async function checkDatabase(
  { database, point, begun }: Manifest,
  path: string,
  changes: LaterChanges,
  today: Manifest['database'],
): Promise<void> {
  if (database.systemIdentifier !== today.systemIdentifier || database.id !== today.id)
    throw new OtherDatabase(`${path} was exported from another database; ${anew}`)
  const latest = begun ?? point
  if (latest !== null && !(await changes.hasReached(latest.visible)))
    throw new OtherDatabase(
      `the database was restored to a time before ${path} was last written (${formatTimestamp(latest.takenAt)}): what of it is still true is not known; ${anew}`,
    )
}

function differencesOf(
  found: Pick<Manifest, 'columns' | 'definition'>,
  wanted: Pick<Manifest, 'columns' | 'definition'>,
): readonly string[] {
  const before = new Map(found.columns.map(({ name, type }) => [name, type]))
  const today = new Map(wanted.columns.map(({ name, type }) => [name, type]))
  const listed = [
    ...[...today].filter(([name]) => !before.has(name)).map(([name]) => `${name} is new`),
    ...[...before].filter(([name]) => !today.has(name)).map(([name]) => `${name} is gone`),
    ...[...today].flatMap(([name, type]) => {
      const old = before.get(name)
      return old === undefined || old === type ? [] : [`${name} is ${type} now, and was ${old}`]
    }),
  ]
  if (listed.length > 0 || found.definition === wanted.definition) return listed
  return ['its features mean something else now']
}

function refuseNarrower(held: ExportRange, { from, to }: ExportRequest, path: string): void {
  const isLater = from !== undefined && (held.from === null || from > held.from)
  const isEarlier = to !== undefined && (held.to === null || to < held.to)
  if (!isLater && !isEarlier) return
  const shown = (time: number | null, otherwise: string): string =>
    time === null ? otherwise : formatTimestamp(time)
  throw new BadUserInput(
    `${path} holds more than is asked for: from ${shown(held.from, 'the beginning')} to ${shown(held.to, 'the present')}; leave --from and --to out, or ${anew}`,
  )
}
