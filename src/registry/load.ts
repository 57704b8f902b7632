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
  const files = await definitionFiles(folder)
  const importFile = await importerOf(files)
  for (const file of files) {
    const shown = path.relative(process.cwd(), file)
    for (const [name, value] of Object.entries(await importFile(file).catch(refuse(shown)))) {
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

/** `tsx` takes 60 ms of CPU: it is loaded only where a file is TypeScript, and then for all, since they may import each other. */
async function importerOf(
  files: readonly string[],
): Promise<(file: string) => Promise<Record<string, unknown>>> {
  if (!files.some((file) => /\.m?ts$/.test(file))) return (file) => import(pathToFileURL(file).href)
  const { tsImport } = await import('tsx/esm/api')
  return (file) => tsImport(pathToFileURL(file).href, import.meta.url)
}

function refuse(shown: string): (cause: unknown) => never {
  return (cause) => {
    const message = `the file cannot be loaded: ${messageOf(cause)}`
    throw Object.assign(new InvalidDefinitions([{ path: shown, message }]), { cause })
  }
}
