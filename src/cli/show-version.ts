import { existingVersion } from '../registry/versions/rollback.ts'
import { servedVersion } from '../registry/versions/served-version.ts'
import { argumentVersion } from './argument-version.ts'
import { jsonText } from './json-text.ts'
import { withVersions } from './open-versions.ts'
import { shownVersion } from './shown-version.ts'
import { versionText } from './version-text.ts'

/** `featuregraph show <version>`: its definitions in words, and what it changed. */
export async function showVersion(
  text: string,
  { json = false, registry }: { readonly json?: boolean; readonly registry?: string },
): Promise<void> {
  const version = argumentVersion(text)
  await withVersions(registry, async ({ versions }) => {
    const stored = await existingVersion(versions, version)
    const served = servedVersion(stored)
    const { changedIn, content } = served
    process.stdout.write(
      json ? jsonText({ ...shownVersion(stored), changedIn, ...content }) : versionText(stored, served),
    )
  })
}
