import { existingVersion } from '../registry/versions/rollback.ts'
import { servedVersion } from '../registry/versions/served-version.ts'
import { argumentVersion } from './argument-version.ts'
import { jsonText } from './json-text.ts'
import { shownVersion } from './shown-version.ts'
import { versionText } from './version-text.ts'
import { withRegistry } from './with-registry.ts'

/** `featuregraph show <version>`: its definitions in words, and what it changed. */
export async function showVersion(
  text: string,
  { json = false }: { readonly json?: boolean },
): Promise<void> {
  const version = argumentVersion(text)
  await withRegistry(async ({ targets: { versions } }) => {
    const stored = await existingVersion(versions, version)
    const served = servedVersion(stored)
    const { changedIn, content } = served
    process.stdout.write(
      json ? jsonText({ ...shownVersion(stored), changedIn, ...content }) : versionText(stored, served),
    )
  })
}
