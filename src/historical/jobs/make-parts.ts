import { mkdir } from 'node:fs/promises'
import { LimitExceeded, StoreFailed } from '../../errors.ts'
import type { BegunJob, MadePart } from '../../stores/training-job-queue.ts'
import { readLimit } from '../plan/read-limit.ts'
import { makeByEngine } from '../training/make-by-engine.ts'
import { selectedFeatures } from '../training/selected-features.ts'
import { madeLike, type PartCounts } from './card-of-parts.ts'
import { type Attempt, type JobSources, optionsOf } from './job-sources.ts'
import { partName } from './part-name.ts'
import { untilAnswered } from './until-answered.ts'

/** A store that fails at one part so often, and answers in between, will not do better. */
const maxFailures = 5

/** All parts of the set, in order: those that are lacking are made, one after the other. Null: the attempt has ended before. */
export async function makeParts(sources: JobSources, attempt: Attempt): Promise<readonly MadePart[] | null> {
  const { begun, found, job, lease, options } = attempt
  const { owner, spine } = begun.set
  const count = Math.max(1, Math.ceil(spine.rows / partRowsOf(begun)))
  const parts: MadePart[] = [...found]
  const answered = <Result>(work: () => Promise<Result>): Promise<Result | null> =>
    untilAnswered(work, lease.signal, options.pause)
  let failures = 0
  for (let part = 0; part < count; ) {
    if (lease.signal.aborted) return null
    if (parts.some((one) => one.part === part)) {
      part += 1
      continue
    }
    try {
      const made = await makePart(sources, attempt, part, parts[0]?.made)
      if ((await answered(() => sources.queue.addPart(job, made))) !== true) return null
      parts.push(made)
      failures = 0
      const held = (await answered(() => sources.spines.heldBytes(owner))) ?? 0
      if (held > sources.maxHeldBytes) throw tooMuch(sources.maxHeldBytes)
    } catch (error) {
      if (lease.signal.aborted) return null
      failures += 1
      if (!(error instanceof StoreFailed) || failures >= maxFailures) throw error
      options.log.warn(`training set ${job.id}: part ${part} is tried again`, error)
      await answered(() => sources.queue.renew(job, 0))
    }
  }
  return parts.toSorted((left, right) => left.part - right.part)
}

async function makePart(
  sources: JobSources,
  { job, begun, served, lease }: Attempt,
  part: number,
  first: unknown,
): Promise<MadePart> {
  const { files, folder } = sources
  const { set, visible } = begun
  const { spine } = set
  const options = optionsOf(set)
  const partRows = partRowsOf(begun)
  const from = part * partRows
  // No two attempts write the same file, whatever they believe of each other.
  const file = partName(part, `${job.holder.slice(0, 8)}.${options.format}`)
  const out = folder.inSet(set.id, file)
  await mkdir(folder.set(set.id), { recursive: true })
  const path = folder.spine(spine)
  const opened = await files.open(path, spine.format)
  try {
    const like = first === undefined ? { engine: sources.engine, files: [] } : madeLike([first as PartCounts])
    const made = await makeByEngine(sources, {
      ...{ ...options, ...like },
      service: selectedFeatures(served.registry, options.selection, options.fullNames),
      spine: { ...options, path, opened },
      rows: { from, to: Math.min(spine.rows, from + partRows) },
      ...{ visibleIn: visible, out, signal: lease.signal },
      limit: readLimit(sources.maxReads, raised),
      onProgress: (_, done) => lease.progress(spine.rows === 0 ? 1 : (from + done) / spine.rows),
    })
    const counts: PartCounts = {
      ...{ spine: made.spine, features: made.features, summaries: made.summaries },
      ...{ engine: made.engine, files: made.files },
    }
    const sha256 = await files.digest(out)
    return { part, file, rows: made.spine.rows, bytes: made.bytes, sha256, made: counts }
  } finally {
    await opened.close()
  }
}

/** Text is read from its start for every part, and its columns get their types from all values: it makes one part. */
const textFormats: ReadonlySet<string> = new Set(['csv', 'ndjson', 'json'])

function partRowsOf({ set, partRows }: BegunJob): number {
  const { format, rows } = set.spine
  return textFormats.has(format) ? Math.max(1, rows) : partRows
}

const raised = 'FEATUREGRAPH_TRAINING_SET_MAX_READS raises it, or upload the spine in pieces'

function tooMuch(maxHeldBytes: number): LimitExceeded {
  return new LimitExceeded(
    `the spines and training sets of a key have at most ${maxHeldBytes} bytes (FEATUREGRAPH_FILES_MAX_BYTES_PER_KEY), and this one needs more; delete training sets that are not needed`,
  )
}
