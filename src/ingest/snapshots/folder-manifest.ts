import { z } from 'zod'
import type { Micros } from '../../definitions/timestamp.ts'
import { BadUserInput, OtherDefinitions } from '../../errors.ts'
import type { BatchView } from '../../registry/registry.ts'
import type { ExportFolder } from '../../stores/export-files.ts'

const manifestFile = '_snapshots.json'
const exportManifest = '_export.json'

const manifest = z.object({
  format: z.literal('featuregraph snapshots 1'),
  /** Its first name. */
  view: z.string(),
  /** What the rows mean: of all of them the same. */
  definition: z.string(),
  /** Snapshots that were computed into the folder, oldest first, also those without a row. */
  times: z.array(z.number()),
})

/**
 * The snapshots that a folder says were computed into it; none where it says nothing, as one that a run has left that was killed
 * before its end.
 * @throws BadUserInput for a folder of something else, or with files that are no Parquet; OtherDefinitions.
 */
export async function readComputedTimes(
  folder: ExportFolder,
  { id, name, definition }: BatchView,
): Promise<readonly Micros[]> {
  const files = await folder.list()
  if (files.includes(exportManifest))
    throw new BadUserInput(
      `${folder.path} is an export, whose next run removes what it has not written; name another folder for the snapshots of "${name}"`,
    )
  const foreign = files.find((file) => !file.endsWith('.parquet') && !/(?:^|\/)[_.]/.test(file))
  if (foreign !== undefined)
    throw new BadUserInput(
      `${folder.path} holds ${foreign}, which is no Parquet file; expected snapshots of "${name}" alone: move it away, or name another folder`,
    )
  const text = await folder.read(manifestFile)
  if (text === null) return []
  const parsed = manifest.safeParse(jsonOf(text))
  if (!parsed.success)
    throw new BadUserInput(
      `${folder.path}/${manifestFile} is not what \`featuregraph batch --out\` writes; name another folder`,
    )
  const found = parsed.data
  if (found.view !== id)
    throw new BadUserInput(
      `${folder.path} holds the snapshots of feature view "${found.view}"; expected a folder of its own for "${name}"`,
    )
  if (found.definition !== definition)
    throw new OtherDefinitions(
      `${folder.path} holds snapshots of another definition of "${name}": its features were others or meant something else; compute into another folder`,
    )
  return found.times
}

/** All computed times, in any order. */
export async function writeComputedTimes(
  folder: ExportFolder,
  { id, definition }: BatchView,
  times: readonly Micros[],
): Promise<void> {
  const written: z.output<typeof manifest> = {
    ...{ format: 'featuregraph snapshots 1', view: id, definition },
    times: [...new Set(times)].sort((left, right) => left - right),
  }
  await folder.write(manifestFile, `${JSON.stringify(written, null, 1)}\n`)
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}
