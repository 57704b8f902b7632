import { createHash } from 'node:crypto'
import { mkdir, readdir, rename, rm, stat, writeFile } from 'node:fs/promises'
import path from 'node:path'
import {
  InvalidDefinitions,
  ifMissing,
  LimitExceeded,
  RegistryUnreadable,
  StoreFailed,
} from '../../errors.ts'
import { type ServedVersion, servedVersion } from '../../registry/versions/served-version.ts'
import type { FileStore } from '../../stores/file-reader.ts'
import type { SummarizeParts } from '../../stores/part-summaries.ts'
import type { SpineStore } from '../../stores/spine-store.ts'
import type { BegunJob, ClaimedJob, MadePart, TrainingJobQueue } from '../../stores/training-job-queue.ts'
import type { TrainingSet } from '../../stores/training-set-store.ts'
import type { VersionStore } from '../../stores/version-store.ts'
import { parseKnownAt } from '../training/known-at.ts'
import { makeTrainingSet, type TrainingSources } from '../training/make-training-set.ts'
import { selectedFeatures } from '../training/selected-features.ts'
import { trainingCard } from '../training/training-card.ts'
import { countsOfParts, onlySummaries, type PartCounts } from './card-of-parts.ts'
import { cardFile, type FilesFolder } from './files-folder.ts'
import { type HeldLease, holdLease } from './hold-lease.ts'
import { DefinitionsGone, jobFailure } from './job-failure.ts'
import { partName } from './part-name.ts'
import { selectionOf } from './training-sets.ts'

export interface JobSources extends TrainingSources {
  readonly queue: TrainingJobQueue
  readonly spines: Pick<SpineStore, 'heldBytes'>
  readonly versions: Pick<VersionStore, 'read'>
  readonly files: Pick<FileStore, 'open' | 'digest'>
  readonly summarizeParts: SummarizeParts
  readonly folder: FilesFolder
  readonly maxHeldBytes: number
  /** Version of this program. */
  readonly program: string
}

export interface JobOptions {
  /** By which the spine is cut, where no attempt has cut it before. */
  readonly partRows: number
  /** The process is to end: the job goes back into the queue. */
  readonly signal: AbortSignal
  readonly pause: (ms: number) => Promise<unknown>
  readonly log: { readonly warn: (line: string, error: unknown) => void }
}

/** A store that fails at one part so often, and answers in between, will not do better. */
const maxFailures = 5
const pauseMs = 1_000

/**
 * Makes one training set, part by part: what an earlier attempt has finished stays as it is, all parts are read in one
 * snapshot of the database. Ends with the set SUCCEEDED or FAILED, or with the attempt released or lost. Never rejects but for a fault.
 */
export async function runJob(sources: JobSources, job: ClaimedJob, options: JobOptions): Promise<void> {
  const { queue, folder } = sources
  const lease = holdLease(queue, job, options.signal)
  const answered = <Result>(work: () => Promise<Result>): Promise<Result | null> =>
    untilAnswered(work, lease.signal, options.pause)
  let spinePath = ''
  try {
    const begun = await answered(() => queue.begin(job, options.partRows))
    if (begun === null) return
    spinePath = folder.spine(begun.set.spine)
    const found = await partsFound(folder, begun)
    await keepOnly(folder, begun.set.id, found)
    const served = await answered(() => versionOf(sources, begun.set))
    if (served === null) return
    const parts = await makeParts(sources, { job, begun, found, served, lease, options })
    if (parts === null) return
    const card = await writeCard(sources, { begun, served, parts })
    await keepOnly(folder, begun.set.id, parts)
    await answered(() => queue.succeed(job, card))
  } catch (error) {
    if (lease.signal.aborted) return
    const failure = jobFailure(error, spinePath)
    options.log.warn(`training set ${job.id} failed: ${failure.code}`, error)
    // Another attempt's files stay.
    if ((await answered(() => queue.fail(job, failure.code, failure.message))) === true)
      await rm(folder.set(job.id), { recursive: true, force: true })
  } finally {
    await lease.stop()
    if (options.signal.aborted) await queue.release(job).catch(() => {})
  }
}

interface Attempt {
  readonly job: ClaimedJob
  readonly begun: BegunJob
  /** Parts of earlier attempts. */
  readonly found: readonly MadePart[]
  readonly served: ServedVersion
  readonly lease: HeldLease
  readonly options: JobOptions
}

/** Null: the attempt has ended before. */
async function makeParts(sources: JobSources, attempt: Attempt): Promise<readonly MadePart[] | null> {
  const { begun, found, job, lease, options } = attempt
  const count = Math.max(1, Math.ceil(begun.set.spine.rows / partRowsOf(begun)))
  const parts: MadePart[] = [...found]
  let failures = 0
  for (let part = 0; part < count; ) {
    if (lease.signal.aborted) return null
    if (parts.some((one) => one.part === part)) {
      part += 1
      continue
    }
    try {
      const made = await makePart(sources, attempt, part)
      const isOurs = await untilAnswered(() => sources.queue.addPart(job, made), lease.signal, options.pause)
      if (isOurs !== true) return null
      parts.push(made)
      failures = 0
      const { owner } = begun.set
      if ((await sources.spines.heldBytes(owner)) > sources.maxHeldBytes) throw tooMuch(sources.maxHeldBytes)
    } catch (error) {
      if (lease.signal.aborted) return null
      if (!(error instanceof StoreFailed)) throw error
      failures += 1
      if (failures >= maxFailures) throw error
      options.log.warn(`training set ${job.id}: part ${part} is tried again`, error)
      await untilAnswered(() => sources.queue.renew(job, 0), lease.signal, options.pause)
    }
  }
  return parts.toSorted((left, right) => left.part - right.part)
}

async function makePart(
  sources: JobSources,
  { job, begun, served, lease }: Attempt,
  part: number,
): Promise<MadePart> {
  const { files, folder } = sources
  const { set, visible } = begun
  const partRows = partRowsOf(begun)
  const { spine, request } = set
  const from = part * partRows
  const to = Math.min(spine.rows, from + partRows)
  // No two attempts write the same file, whatever they believe of each other.
  const file = partName(part, `${job.holder.slice(0, 8)}.${request.format}`)
  const out = folder.inSet(set.id, file)
  await mkdir(folder.set(set.id), { recursive: true })
  const spinePath = folder.spine(spine)
  const opened = await files.open(spinePath, spine.format)
  try {
    const made = await makeTrainingSet(sources, {
      service: selectedFeatures(served.registry, selectionOf(request), request.fullNames),
      spine: { ...request, path: spinePath, opened, map: new Map(request.map) },
      rows: { from, to },
      ...{ knownAt: knownAtOf(set), visibleIn: visible, signal: lease.signal },
      ...{ format: request.format, out, vector: request.vector, statuses: request.statuses },
      onProgress: (_, done) => lease.progress(spine.rows === 0 ? 1 : (from + done) / spine.rows),
    })
    const { spine: counts, features, summaries } = made
    const counted: PartCounts = { spine: counts, features, summaries }
    const sha256 = await files.digest(out)
    return { part, file, rows: counts.rows, bytes: made.bytes, sha256, made: counted }
  } finally {
    await opened.close()
  }
}

interface Finished {
  readonly begun: BegunJob
  readonly served: ServedVersion
  readonly parts: readonly MadePart[]
}

/** Text is read from its start for every part, and its columns get their types from all values: it makes one part. */
const textFormats: ReadonlySet<string> = new Set(['csv', 'ndjson', 'json'])

function partRowsOf({ set, partRows }: BegunJob): number {
  const { format, rows } = set.spine
  return textFormats.has(format) ? Math.max(1, rows) : partRows
}

/** As the command's, with the parts in place of the one file. */
async function writeCard(
  { folder, summarizeParts, program }: JobSources,
  { begun, served, parts }: Finished,
): Promise<{ readonly bytes: number; readonly sha256: string }> {
  const { set, takenAt } = begun
  const { request, spine } = set
  const service = selectedFeatures(served.registry, selectionOf(request), request.fullNames)
  const made = parts.map((part) => part.made as PartCounts)
  const { spine: counts, features } = countsOfParts(made)
  const numbers = features.map(
    ({ name, type }) => service.vector.find((one) => one.name === name) ?? { name, type },
  )
  const summaries =
    onlySummaries(made) ??
    (await summarizeParts(
      {
        paths: parts.map(({ file }) => folder.inSet(set.id, file)),
        format: request.format,
        rows: counts.rows,
      },
      service.vector.filter(({ name }) => numbers.some((one) => one.name === name)),
    ))
  const { output: _, ...card } = JSON.parse(
    trainingCard({
      service: request.service,
      vector: service.vector.map(({ name }) => name),
      registryVersion: served.version,
      definitions: served.digest,
      program,
      spine: { file: `${spine.id}.${spine.format}`, sha256: spine.sha256, counts },
      output: { file: '', sha256: '', bytes: 0 },
      ...{ knownAt: knownAtOf(set), takenAt, features, summaries },
    }),
  )
  const shown = parts.map(({ part, rows, bytes, sha256 }) => ({
    ...{ file: partName(part, request.format), rows, bytes, sha256 },
  }))
  const text = `${JSON.stringify({ ...card, parts: shown }, null, 2)}\n`
  const final = folder.inSet(set.id, cardFile)
  await writeFile(`${final}.written`, text)
  await rename(`${final}.written`, final)
  const bytes = Buffer.from(text)
  return { bytes: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex') }
}

function knownAtOf({ request: { knownAt } }: TrainingSet) {
  return knownAt === null ? ({ kind: 'ALL' } as const) : parseKnownAt(knownAt)
}

/** @throws DefinitionsGone */
async function versionOf({ versions }: JobSources, { registry }: TrainingSet): Promise<ServedVersion> {
  const gone = new DefinitionsGone(registry.version)
  const stored = await versions.read(registry.version)
  if (stored === null || stored.digest !== registry.digest) throw gone
  try {
    return servedVersion(stored)
  } catch (error) {
    if (error instanceof RegistryUnreadable || error instanceof InvalidDefinitions) throw gone
    throw error
  }
}

function tooMuch(maxHeldBytes: number): LimitExceeded {
  return new LimitExceeded(
    `the spines and training sets of a key have at most ${maxHeldBytes} bytes (FEATUREGRAPH_FILES_MAX_BYTES_PER_KEY), and this one needs more; delete training sets that are not needed`,
  )
}

/** Those whose files are there: a folder that was lost costs their making again. */
async function partsFound(folder: FilesFolder, { set, parts }: BegunJob): Promise<readonly MadePart[]> {
  const sizes = await Promise.all(
    parts.map(({ file }) => stat(folder.inSet(set.id, file)).then(({ size }) => size, ifMissing(null))),
  )
  return parts.filter(({ bytes }, index) => sizes[index] === bytes)
}

/** Removes what attempts that were killed have left. */
async function keepOnly(
  folder: FilesFolder,
  id: string,
  parts: readonly Pick<MadePart, 'file'>[],
): Promise<void> {
  const kept = new Set([cardFile, ...parts.map(({ file }) => file)])
  const found = await readdir(folder.set(id)).catch(() => [])
  for (const name of found)
    if (!kept.has(name)) await rm(path.join(folder.set(id), name), { recursive: true, force: true })
}

/** Null: the signal has aborted. A database that is away is waited for. */
async function untilAnswered<Result>(
  work: () => Promise<Result>,
  signal: AbortSignal,
  pause: JobOptions['pause'],
): Promise<Result | null> {
  for (;;) {
    if (signal.aborted) return null
    try {
      return await work()
    } catch (error) {
      if (!(error instanceof StoreFailed)) throw error
      await pause(pauseMs)
    }
  }
}
