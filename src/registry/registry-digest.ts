import { createHash } from 'node:crypto'
import type { Registry } from './registry.ts'

const shownDigits = 12
/** What a definition names, and what would lead back to it. */
const references: ReadonlySet<string> = new Set(['entity', 'events', 'view', 'feature'])

/**
 * Of all that the definitions say: the same for two processes if and only if they were started with the same ones, whatever
 * files they stand in.
 */
export function registryDigest({ entities, eventSources, views, onDemandViews, services }: Registry): string {
  // Without on-demand views it is what earlier programs made of the same definitions.
  const computed = onDemandViews.length === 0 ? [] : [onDemandViews]
  const parts = [entities, eventSources, views, services, ...computed].map((all) =>
    all.map(definitionText).sort(),
  )
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, shownDigits)
}

/** All that one definition says, with the names of others in the place of these. */
export function definitionText(definition: Registry[keyof Registry][number]): string {
  return JSON.stringify(definition, withoutReferences)
}

function withoutReferences(key: string, value: unknown): unknown {
  if (key === 'onDemandViews' || key === 'functionText') return undefined
  if (isNoRole(key, value)) return undefined
  if (references.has(key)) return nameOf(value)
  if ((key === 'views' || key === 'entities') && Array.isArray(value)) return value.map(nameOf)
  if (value instanceof Uint8Array) return Buffer.from(value).toString('base64')
  return value
}

/** Services without roles have the digest that they had before there were any. */
function isNoRole(key: string, value: unknown): boolean {
  return (key === 'role' && value === null) || (key === 'roles' && Array.isArray(value) && value.length === 0)
}

function nameOf(value: unknown): unknown {
  return typeof value === 'object' && value !== null && 'name' in value ? value.name : value
}
