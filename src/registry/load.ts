import { readdir } from 'node:fs/promises'
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import { InvalidDefinitions, messageOf } from '../errors.ts'
import { buildRegistry } from './build-registry.ts'
import type { Definition } from './parse-definitions.ts'
import type { Registry } from './registry.ts'

const extensions = new Set(['.ts', '.mts', '.js', '.mjs'])

/**
 * The registry of all definitions that the folder's modules export, files in the order of their names, sub-folders
 * included. A definition that two files export counts once.
 * @throws InvalidDefinitions when a file cannot be loaded or the definitions are wrong; all problems at once.
 */
export async function loadRegistry(folder: string): Promise<Registry> {
  const definitions: Definition[] = []
  const seen = new Set<unknown>()
  for (const [file, exported] of await importFiles(await definitionFiles(folder))) {
    const shown = path.relative(process.cwd(), file)
    for (const [name, value] of Object.entries(exported)) {
      if (typeof value !== 'object' || value === null || seen.has(value)) continue
      seen.add(value)
      definitions.push({ path: `${shown}: ${name}`, value })
    }
  }
  return buildRegistry(definitions)
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

type Imported = readonly (readonly [file: string, exported: Record<string, unknown>])[]

/**
 * By Node alone where it can, since `tsx` takes 60 ms of CPU; else by `tsx` and then all of them, since they may import
 * each other: TypeScript, and imports without an extension. ES modules named `.js` in a package that does not say so
 * are loaded by Node itself, from 20.19 on.
 */
async function importFiles(files: readonly string[]): Promise<Imported> {
  if (!files.some((file) => /\.m?ts$/.test(file))) {
    const imported = await importEach(files, (url) => import(url)).catch(() => null)
    if (imported !== null) return imported
  }
  const { tsImport } = await import('tsx/esm/api')
  return await importEach(files, (url) => tsImport(url, import.meta.url))
}

async function importEach(
  files: readonly string[],
  importUrl: (url: string) => Promise<Record<string, unknown>>,
): Promise<Imported> {
  const imported: [string, Record<string, unknown>][] = []
  for (const file of files)
    imported.push([file, await importUrl(pathToFileURL(file).href).catch(refuse(file))])
  return imported
}

function refuse(file: string): (cause: unknown) => never {
  return (cause) => {
    const message = `the file cannot be loaded: ${messageOf(cause)}`
    const problem = { path: path.relative(process.cwd(), file), message }
    throw Object.assign(new InvalidDefinitions([problem]), { cause })
  }
}
