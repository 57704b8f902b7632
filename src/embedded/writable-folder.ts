import { mkdir, mkdtemp, rmdir } from 'node:fs/promises'
import { join } from 'node:path'
import { EmbeddedPostgresFailed, messageOf } from '../errors.ts'

/**
 * Makes the folder where it is not there, and for a moment another in it. The first folder that was made, as `mkdir` says
 * it. @throws EmbeddedPostgresFailed
 */
export async function makeWritable(folder: string): Promise<string | undefined> {
  try {
    const made = await mkdir(folder, { recursive: true })
    await rmdir(await mkdtemp(join(folder, 'probe-')))
    return made
  } catch (cause) {
    throw new EmbeddedPostgresFailed(
      `the data folder ${folder} cannot be written (${messageOf(cause)}); let this user write there, set FEATUREGRAPH_DATA to a folder where it may, or FEATUREGRAPH_OFFLINE_URL to a Postgres of your own`,
      { cause },
    )
  }
}
