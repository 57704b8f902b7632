import { setTimeout as sleep } from 'node:timers/promises'
import type { Logger } from 'pino'
import { ApplyRefused } from '../errors.ts'
import { buildSchema } from '../graph/build-schema.ts'
import { buildRegistry } from '../registry/build-registry.ts'
import { loadDefinitions } from '../registry/load.ts'
import type { Definition } from '../registry/parse-definitions.ts'
import type { Registry } from '../registry/registry.ts'
import { applyDefinitions, currentVersion } from '../registry/versions/apply.ts'
import type { ServedVersion } from '../registry/versions/served-version.ts'
import type { Stores } from './open-stores.ts'
import { programVersion } from './program-version.ts'
import { reportUnapplied } from './unapplied-changes.ts'

interface StartOptions {
  /** Of the definition files. */
  readonly folder: string
  readonly log: Logger
  /** Who starts it. */
  readonly by: string
  /** Called with the version that was made of the first definitions here. */
  readonly applied: (version: number) => void
  /** Called before anything is made of the first definitions; what it throws refuses them. */
  readonly beforeFirst: (registry: Registry) => Promise<void>
}

type RegistryStores = Pick<Stores, 'versions' | 'applies' | 'tables'>

/**
 * The registry's newest version. Only an empty registry gets the definitions of the folder; else it is logged how they differ.
 * @throws InvalidDefinitions for definitions that would be the first and cannot be served; RegistryUnreadable.
 */
export async function versionAtStart(
  stores: RegistryStores,
  { folder, log, by, applied, beforeFirst }: StartOptions,
): Promise<ServedVersion> {
  const current = await currentVersion(stores.versions)
  if (current !== null) {
    await reportUnapplied(folder, current, log)
    return current
  }
  const { definitions, unloaded } = await loadDefinitions(folder)
  const registry = buildRegistry(definitions, unloaded)
  buildSchema(registry)
  await beforeFirst(registry)
  const first = await applyFirst(stores, definitions, { by, applied })
  log.info(`the definitions in ${folder} are version ${first.version} of the registry`)
  return first
}

const waitMs = 500
const waits = 60

/** Of several gateways that start on an empty registry one applies, and the others serve what it applied. */
async function applyFirst(
  stores: RegistryStores,
  definitions: readonly Definition[],
  { by, applied }: Pick<StartOptions, 'by' | 'applied'>,
): Promise<ServedVersion> {
  const options = { by, message: 'first start', program: programVersion(), onlyFirst: true }
  for (let waited = 0; ; waited += 1) {
    try {
      const first = await applyDefinitions(stores, definitions, options)
      applied(first.version)
      return first
    } catch (error) {
      if (!(error instanceof ApplyRefused) || waited >= waits) throw error
      const theirs = await currentVersion(stores.versions)
      if (theirs !== null) return theirs
      await sleep(waitMs)
    }
  }
}
