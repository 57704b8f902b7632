import { readConfig, readEnvironment } from '../config/read-config.ts'
import { BadUserInput } from '../errors.ts'
import { currentVersion } from '../registry/versions/apply.ts'
import { nextContent } from '../registry/versions/resolve-identities.ts'
import type { ServedVersion } from '../registry/versions/served-version.ts'
import type { VersionStore } from '../stores/version-store.ts'
import { jsonText } from './json-text.ts'
import { withVersions } from './open-versions.ts'
import { showsColours } from './paint.ts'
import { changesText } from './plan/changes-text.ts'
import { compareVersions } from './plan/compare-versions.ts'
import { loadChecked } from './plan/load-files.ts'
import { comparisonJson } from './plan/plan-json.ts'
import { versionNamed } from './plan/version-named.ts'

interface DiffArguments {
  readonly json?: boolean
  readonly registry?: string
}

/** The word for the definition files, where a version is asked for. */
const files = 'files'

/** `featuregraph diff`: what differs between two versions, or a version and the definition files. */
export async function diff(
  from: string,
  to: string | undefined,
  { json = false, registry }: DiffArguments,
): Promise<void> {
  await withVersions(registry, async ({ versions, called }) => {
    const before = await versionNamed(versions, from, '<from>')
    const after = to === files ? await filesAfter(before) : await namedOrNewest(versions, to)
    const comparison = await compareVersions(before.content, after.content)
    const title = `version ${before.version} of ${called} → ${after.called}`
    if (json)
      process.stdout.write(
        jsonText({ from: before.version, to: after.version ?? files, ...comparisonJson(comparison) }),
      )
    else if (comparison.changes.length === 0) process.stdout.write(`${title}: no changes\n`)
    else process.stdout.write(`${title}\n\n${changesText(comparison, showsColours(process.stdout))}\n`)
  })
}

interface Compared extends Pick<ServedVersion, 'content'> {
  /** Null: the files. */
  readonly version: number | null
  readonly called: string
}

async function filesAfter({ content }: ServedVersion): Promise<Compared> {
  const folder = readConfig(readEnvironment()).schemaFolder
  const next = nextContent(content, await loadChecked(folder))
  return { content: next, version: null, called: `the definitions of ${folder}` }
}

async function namedOrNewest(versions: VersionStore, text: string | undefined): Promise<Compared> {
  const found =
    text === undefined ? await currentVersion(versions) : await versionNamed(versions, text, '<to>')
  if (found === null) throw new BadUserInput('no version has been applied yet')
  return { content: found.content, version: found.version, called: `version ${found.version}` }
}
