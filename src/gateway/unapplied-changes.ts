import type { Logger } from 'pino'
import { InvalidDefinitions } from '../errors.ts'
import { buildRegistry } from '../registry/build-registry.ts'
import { type LoadedDefinitions, loadDefinitions } from '../registry/load.ts'
import { changesBetween } from '../registry/versions/changes.ts'
import { nextContent } from '../registry/versions/resolve-identities.ts'
import type { ServedVersion } from '../registry/versions/served-version.ts'

/** Logs how the files of a folder differ from the version that is served; nothing is applied. */
export async function reportUnapplied(
  folder: string,
  served: Pick<ServedVersion, 'version' | 'content'>,
  log: Pick<Logger, 'warn'>,
): Promise<void> {
  try {
    const count = countUnapplied(await loadDefinitions(folder), served)
    const [are, them] = count === 1 ? ['change', 'it'] : ['changes', 'them']
    if (count > 0)
      log.warn(
        `${count} ${are} of the definitions in ${folder} ${count === 1 ? 'is' : 'are'} not applied; \`featuregraph plan\` shows ${them}, \`featuregraph apply\` applies ${them}`,
      )
  } catch (error) {
    if (!(error instanceof InvalidDefinitions)) throw error
    log.warn(`version ${served.version} of the registry is served, not ${folder}: ${error.message}`)
  }
}

/** @throws InvalidDefinitions for files that could not be applied. */
function countUnapplied(
  { definitions, unloaded }: LoadedDefinitions,
  { content }: Pick<ServedVersion, 'content'>,
): number {
  if (unloaded.length > 0) buildRegistry(definitions, unloaded)
  return changesBetween(content, nextContent(content, definitions)).length
}
