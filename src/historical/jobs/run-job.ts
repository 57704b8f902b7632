import { rm } from 'node:fs/promises'
import { InvalidDefinitions, RegistryUnreadable } from '../../errors.ts'
import { type ServedVersion, servedVersion } from '../../registry/versions/served-version.ts'
import type { BegunJob, ClaimedJob } from '../../stores/training-job-queue.ts'
import type { TrainingSet } from '../../stores/training-set-store.ts'
import { streamViews } from '../training/carded-training-set.ts'
import { selectedFeatures } from '../training/selected-features.ts'
import { holdLease } from './hold-lease.ts'
import { DefinitionsGone, jobFailure } from './job-failure.ts'
import { type JobOptions, type JobSources, optionsOf } from './job-sources.ts'
import { makeParts } from './make-parts.ts'
import { keepOnly, partsFound } from './set-files.ts'
import { untilAnswered } from './until-answered.ts'
import { writeCard } from './write-card.ts'

/**
 * Makes one training set, part by part: what an earlier attempt has finished stays as it is, all parts are read in one
 * snapshot of the database. Ends with the set SUCCEEDED or FAILED, or with the attempt released or lost. Never rejects but for a fault.
 */
export async function runJob(sources: JobSources, job: ClaimedJob, options: JobOptions): Promise<void> {
  const { queue, folder } = sources
  const lease = holdLease(queue, job, options.signal)
  const answered = <Result>(work: () => Promise<Result>): Promise<Result | null> =>
    untilAnswered(work, lease.signal, options.pause)
  const paths = { spine: '', set: folder.set(job.id) }
  try {
    const opened = await answered(() => open(sources, job, options))
    if (opened === null) return
    const { begun, served } = opened
    paths.spine = folder.spine(begun.set.spine)
    const found = await partsFound(folder, begun)
    await keepOnly(folder, begun.set.id, found)
    const parts = await makeParts(sources, { job, begun, found, served, lease, options })
    if (parts === null) return
    const card = await answered(() => writeCard(sources, { begun, served }, parts))
    if (card === null) return
    await keepOnly(folder, begun.set.id, parts)
    await answered(() => queue.succeed(job, card))
  } catch (error) {
    if (lease.signal.aborted) return
    const failure = jobFailure(error, paths)
    options.log.warn(`training set ${job.id} failed: ${failure.code}`, error)
    // Another attempt's files stay.
    if ((await answered(() => queue.fail(job, failure.code, failure.message))) === true)
      await rm(folder.set(job.id), { recursive: true, force: true })
  } finally {
    await lease.stop()
    if (options.signal.aborted) await queue.release(job).catch(() => {})
  }
}

interface OpenedJob {
  readonly begun: BegunJob
  readonly served: ServedVersion
}

/** Null: the attempt is not the job's any more. */
async function open(
  sources: JobSources,
  job: ClaimedJob,
  { partRows }: JobOptions,
): Promise<OpenedJob | null> {
  const set = await sources.trainingSets.find(job.id)
  if (set === null) return null
  const served = await versionOf(sources, set)
  const { selection, fullNames } = optionsOf(set)
  const views = streamViews(selectedFeatures(served.registry, selection, fullNames))
  // Before the snapshot: what is dropped in between is then no change behind the card's back.
  const storedSince = await sources.changes.storedSince(views.map(({ events }) => events.name))
  const begun = await sources.queue.begin(job, { partRows, storedSince })
  return begun && { begun, served }
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
