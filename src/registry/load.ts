import { readdir } from 'node:fs/promises'
import { createRequire } from 'node:module'
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import { InvalidDefinitions, type Problem } from '../errors.ts'
import { buildRegistry } from './build-registry.ts'
import { moduleDigest, readModule } from './module-digest.ts'
import type { Definition } from './parse-definitions.ts'
import type { Registry } from './registry.ts'
import { unloadedProblem } from './unloaded-problem.ts'

const extensions = new Set(['.ts', '.mts', '.js', '.mjs'])

/**
 * The registry of all definitions that the folder's modules export, files in the order of their names, sub-folders
 * included. A definition that two files export counts once.
 * @throws InvalidDefinitions when a file cannot be loaded or the definitions are wrong; all problems at once.
 */
export async function loadRegistry(folder: string): Promise<Registry> {
  const { definitions, unloaded } = await loadDefinitions(folder)
  return buildRegistry(definitions, unloaded)
}

export interface LoadedDefinitions {
  readonly definitions: readonly Definition[]
  /** Of the files that could not be loaded. */
  readonly unloaded: readonly Problem[]
}

/** What the folder's modules export, not yet checked. @throws InvalidDefinitions when the folder cannot be read. */
export async function loadDefinitions(folder: string): Promise<LoadedDefinitions> {
  const definitions: Definition[] = []
  const unloaded: Problem[] = []
  const seen = new Set<unknown>()
  for (const [file, exported] of await importFiles(await definitionFiles(folder))) {
    const shown = path.relative(process.cwd(), file)
    if (exported instanceof Unloaded) {
      unloaded.push(unloadedProblem(file, exported.reason))
      continue
    }
    for (const [name, value] of Object.entries(exported)) {
      if (typeof value !== 'object' || value === null || seen.has(value)) continue
      seen.add(value)
      const path = `${shown}: ${name}`
      definitions.push(
        hasFunction(value) ? { path, value, module: await moduleDigest(file) } : { path, value },
      )
    }
  }
  return { definitions, unloaded }
}

/**
 * What the folder's modules of these digests export, as they are now, whatever was loaded before; other files, and those that
 * cannot be loaded, are passed over.
 */
export async function loadModules(
  folder: string,
  digests: ReadonlySet<string>,
): Promise<readonly Definition[]> {
  const found: Definition[] = []
  for (const file of await definitionFiles(folder)) {
    const { digest: module, files } = await readModule(file)
    if (!digests.has(module)) continue
    forgetLoaded(new Set(files))
    const { tsImport } = await import('tsx/esm/api')
    const exported: Record<string, unknown> = await tsImport(pathToFileURL(file).href, import.meta.url).catch(
      () => ({}),
    )
    // The file may have changed while it was loaded.
    if ((await moduleDigest(file)) !== module) continue
    const shown = path.relative(process.cwd(), file)
    for (const [name, value] of Object.entries(exported))
      found.push({ path: `${shown}: ${name}`, value, module })
  }
  return found
}

/**
 * Each load by `tsx` gets modules of its own, but for those in the form of CommonJS (TypeScript in a package that does not say
 * otherwise): an import that changed would be what it was.
 */
function forgetLoaded(files: ReadonlySet<string>): void {
  const { cache } = createRequire(import.meta.url)
  for (const name of Object.keys(cache)) if (files.has(name.replace(/\?.*/, ''))) delete cache[name]
}

function hasFunction(value: object): boolean {
  return 'compute' in value && typeof value.compute === 'function'
}

async function definitionFiles(folder: string): Promise<string[]> {
  let names: string[]
  try {
    names = await readdir(folder, { recursive: true })
  } catch (cause) {
    const message =
      'the folder of the definitions cannot be read; set FEATUREGRAPH_SCHEMA to the folder that holds them'
    throw Object.assign(new InvalidDefinitions([{ path: folder, message }]), { cause })
  }
  return names
    .filter((name) => extensions.has(path.extname(name)) && !/\.d\.m?ts$/.test(name))
    .sort()
    .map((name) => path.resolve(folder, name))
}

/** What came instead of the exports of a file. */
class Unloaded {
  readonly reason: unknown
  constructor(reason: unknown) {
    this.reason = reason
  }
}

type Imported = readonly (readonly [file: string, exported: Record<string, unknown> | Unloaded])[]

/**
 * By Node alone where it can, since `tsx` takes 60 ms of CPU; else by `tsx` and then all of them, since they may import
 * each other: TypeScript, and imports without an extension. ES modules named `.js` in a package that does not say so
 * are loaded by Node itself, from 20.19 on.
 */
async function importFiles(files: readonly string[]): Promise<Imported> {
  if (!files.some((file) => /\.m?ts$/.test(file))) {
    const imported = await importEach(files, (url) => import(url))
    if (!imported.some(([, exported]) => exported instanceof Unloaded)) return imported
  }
  const { tsImport } = await import('tsx/esm/api')
  return await importEach(files, (url) => tsImport(url, import.meta.url))
}

async function importEach(
  files: readonly string[],
  importUrl: (url: string) => Promise<Record<string, unknown>>,
): Promise<Imported> {
  const imported: [string, Record<string, unknown> | Unloaded][] = []
  for (const file of files) {
    const exported = importUrl(pathToFileURL(file).href).catch((reason: unknown) => new Unloaded(reason))
    imported.push([file, await exported])
  }
  return imported
}
