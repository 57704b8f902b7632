import { z } from 'zod'
import { BadUserInput } from '../../errors.ts'
import type { ExportFolder } from '../../stores/export-files.ts'

export const manifestFile = '_export.json'
/** Stands in the folder while its files are whole. */
export const successFile = '_SUCCESS'

const micros = z.number().nullable()
const range = { from: micros, to: micros }
const point = { visible: z.string(), takenAt: z.number() }

/** Days of rows that one commit brings: of `since` null those days anew, else what was not visible then. */
const step = z.object({ ...range, since: z.string().nullable(), isReplacing: z.boolean(), rows: z.number() })
export type ExportStep = z.output<typeof step>

const manifest = z.object({
  format: z.literal('featuregraph export 1'),
  project: z.string(),
  kind: z.enum(['EVENTS', 'ROWS']),
  /** Of a view its first name. */
  id: z.string(),
  database: z.object({ systemIdentifier: z.string(), id: z.string() }),
  columns: z.array(z.object({ name: z.string(), type: z.string() })),
  /** Of a batch view: what its rows mean. */
  definition: z.string().nullable(),
  range: z.object(range),
  /** All that this snapshot saw is in the parts; null: the first run has not ended. */
  point: z.object(point).nullable(),
  /** A run that has not ended, with what it has left to do. */
  begun: z.object({ ...point, steps: z.array(step) }).nullable(),
  parts: z.array(z.object({ file: z.string(), day: z.number(), rows: z.number(), bytes: z.number() })),
})
export type Manifest = z.output<typeof manifest>

/**
 * The folder's manifest; null where the folder is empty or not there.
 * @throws BadUserInput for a folder with other files.
 */
export async function readManifest(folder: ExportFolder): Promise<Manifest | null> {
  const text = await folder.read(manifestFile)
  if (text === null) {
    const [other] = await folder.list()
    if (other === undefined) return null
    throw new BadUserInput(
      `${folder.path} is no export: it has files (${other}, …) and no ${manifestFile}; expected a new or empty folder, or one that \`featuregraph export\` has written`,
    )
  }
  const parsed = manifest.safeParse(jsonOf(text))
  if (parsed.success) return parsed.data
  const [issue] = parsed.error.issues
  throw new BadUserInput(
    `${folder.path}/${manifestFile} is not what \`featuregraph export\` writes (${issue?.path.join('.')}: ${issue?.message}); export into another folder`,
  )
}

export async function writeManifest(folder: ExportFolder, written: Manifest): Promise<void> {
  await folder.write(manifestFile, `${JSON.stringify(written, null, 1)}\n`)
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}
