import type { ApplyTargets } from '../registry/versions/make-current.ts'
import type { ServedVersion } from '../registry/versions/served-version.ts'
import { jsonText } from './json-text.ts'
import { paint } from './paint.ts'
import { shownText } from './shown-text.ts'
import { shownVersion } from './shown-version.ts'

/** What a change of the registry ends with: the version that is current, and what it changed where it is a new one. */
export async function appliedText(
  { versions }: Pick<ApplyTargets, 'versions'>,
  { before, after, json }: { readonly before: number; readonly after: ServedVersion; readonly json: boolean },
): Promise<string> {
  const isNew = after.version !== before
  const [listed] = await versions.list(after.version + 1, 1)
  if (json) return jsonText({ isNew, ...(listed ? shownVersion(listed) : { version: after.version }) })
  if (!isNew) return `no change: version ${after.version} is current\n`
  const lines = (listed?.changes ?? []).map((line) => `  ${shownText(line)}\n`)
  return `${lines.join('')}${paint(process.stdout, 'green', `version ${after.version} is current`)}\n`
}
