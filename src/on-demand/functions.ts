import type { ComputeFunction } from '../definitions/on-demand-view.ts'
import { computeDigest } from '../registry/compute-digest.ts'
import { loadModules } from '../registry/load.ts'
import type { Definition } from '../registry/parse-definitions.ts'
import type { OnDemandView } from '../registry/registry.ts'

type Sought = Pick<OnDemandView, 'name' | 'module'>

/** The functions of on-demand views that this process has. */
export interface OnDemandFunctions {
  /** By the view's name and module, so that another function never answers; null: it is not there. */
  readonly find: (view: Sought) => ComputeFunction | null
}

export interface LoadedFunctions extends OnDemandFunctions {
  /** Has those of these views loaded that are not there yet; the answer: the views whose functions are in no file. */
  readonly load: <View extends Sought>(views: readonly View[]) => Promise<readonly View[]>
}

/** Those of definitions that were loaded already. */
export function functionsOf(definitions: readonly Definition[]): OnDemandFunctions {
  const found = new Map(definitions.flatMap(functionOf))
  return { find: (view) => found.get(keyOf(view)) ?? null }
}

/** How long files that lacked a function are not read again. */
const retryMs = 5_000

/**
 * Those of a folder's files. What was loaded once stays, whatever the files become, for versions of the registry that are
 * served still or again. One that is asked for and not there has the files read again after a while.
 */
export function functionsIn(folder: string): LoadedFunctions {
  const found = new Map<string, ComputeFunction>()
  let lastRead = Number.NEGATIVE_INFINITY

  async function load(views: readonly Sought[]): Promise<void> {
    lastRead = performance.now()
    const digests = new Set(views.filter((view) => !found.has(keyOf(view))).map(({ module }) => module))
    if (digests.size === 0) return
    for (const definition of await loadModules(folder, digests))
      for (const [key, compute] of functionOf(definition)) found.set(key, compute)
  }

  return {
    find(view) {
      const known = found.get(keyOf(view))
      if (known) return known
      // The files may be on their way: a folder that is copied, a volume that is mounted.
      if (performance.now() - lastRead >= retryMs) load([view]).catch(() => {})
      return null
    },
    async load(views) {
      // Where the folder cannot be read, none of them is there.
      await load(views).catch(() => {})
      return views.filter((view) => !found.has(keyOf(view)))
    },
  }
}

function functionOf({ value, module }: Definition): (readonly [key: string, compute: ComputeFunction])[] {
  if (typeof value !== 'object' || value === null || !('kind' in value) || value.kind !== 'on-demand-view')
    return []
  if (!('compute' in value) || !('name' in value) || typeof value.compute !== 'function') return []
  const compute = value.compute as ComputeFunction
  return [[keyOf({ name: String(value.name), module: computeDigest(compute, module).module }), compute]]
}

function keyOf({ name, module }: Sought): string {
  return `${module} ${name}`
}
