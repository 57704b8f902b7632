import { createHash } from 'node:crypto'
import { rename, writeFile } from 'node:fs/promises'
import type { MadePart } from '../../stores/training-job-queue.ts'
import { refuseDropped } from '../training/carded-training-set.ts'
import { selectedFeatures } from '../training/selected-features.ts'
import { trainingCard } from '../training/training-card.ts'
import { countsOfParts, madeLike, onlySummaries, type PartCounts } from './card-of-parts.ts'
import { cardFile } from './files-folder.ts'
import { type Attempt, type JobSources, optionsOf } from './job-sources.ts'
import { partName } from './part-name.ts'

/**
 * The command's card, with the parts in place of the one file.
 * @throws HistoryExpired where retention has dropped events that parts were to be made of.
 */
export async function writeCard(
  { folder, summarizeParts, program, project, changes }: JobSources,
  { begun, served }: Pick<Attempt, 'begun' | 'served'>,
  parts: readonly MadePart[],
): Promise<{ readonly bytes: number; readonly sha256: string }> {
  const { set, visible, takenAt, storedSince } = begun
  const options = optionsOf(set)
  const service = selectedFeatures(served.registry, options.selection, options.fullNames)
  const made = parts.map((part) => part.made as PartCounts)
  const { spine: counts, features } = countsOfParts(made)
  await refuseDropped(service, { spine: counts }, storedSince, changes)
  const paths = parts.map(({ file }) => folder.inSet(set.id, file))
  const summaries =
    onlySummaries(made) ??
    (await summarizeParts(
      { paths, format: options.format, rows: counts.rows },
      service.vector.filter(({ kind }) => kind !== 'request'),
    ))
  const output = parts.map(({ part, rows, bytes, sha256 }) => ({
    ...{ file: partName(part, options.format), rows, bytes, sha256 },
  }))
  const text = trainingCard({
    world: { project, program, registryVersion: served.version, definitions: served.digest },
    ...madeLike(made),
    ...{ options, service, visible, takenAt, storedSince, output, features, summaries },
    database: await changes.identity(),
    spine: { file: `${set.spine.id}.${set.spine.format}`, sql: null, sha256: set.spine.sha256, counts },
  })
  const final = folder.inSet(set.id, cardFile)
  await writeFile(`${final}.written`, text)
  await rename(`${final}.written`, final)
  const bytes = Buffer.from(text)
  return { bytes: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex') }
}
