import { buildRegistry } from '../../registry/build-registry.ts'
import { loadDefinitions } from '../../registry/load.ts'
import type { Definition } from '../../registry/parse-definitions.ts'

/** The definitions of a folder, checked as a whole. @throws InvalidDefinitions with every problem. */
export async function loadChecked(folder: string): Promise<readonly Definition[]> {
  const { definitions, unloaded } = await loadDefinitions(folder)
  buildRegistry(definitions, unloaded)
  return definitions
}
