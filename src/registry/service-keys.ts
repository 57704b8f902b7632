import { fieldName } from '../definitions/graphql-name.ts'
import type { Entity, JoinKey, ServiceRole, VectorEntry } from './registry.ts'

/** An entity that a service takes from, in one of its roles. */
export interface EntityUse {
  readonly entity: Entity
  /** Null: by its own join keys. */
  readonly role: ServiceRole | null
}

/** Every entity in every role that a vector takes from, once, in the order of first use. */
export function entityUses(vector: readonly VectorEntry[], roles: readonly ServiceRole[]): EntityUse[] {
  const uses: EntityUse[] = []
  for (const entry of vector) {
    if (entry.kind === 'request') continue
    const { entity } = entry.view
    const role = entry.kind === 'feature' ? roleNamed(roles, entry.role) : null
    if (!uses.some((use) => use.entity === entity && use.role === role)) uses.push({ entity, role })
  }
  return uses
}

export function roleNamed(roles: readonly ServiceRole[], name: string | null): ServiceRole | null {
  return roles.find((role) => role.name === name) ?? null
}

/** What a service calls a value of an entity that stands in this role. */
export function nameInRole(role: string, name: string): string {
  return `${role}__${name}`
}

/** What a service calls a join key of an entity that stands in this role. */
export function keyInRole(joinKey: string, role: ServiceRole | null): string {
  return role?.keys.find((key) => key.joinKey === joinKey)?.name ?? joinKey
}

/** What is called alike and is not alike. */
export interface KeyConflict {
  readonly name: string
  readonly first: EntityUse & { readonly type: string }
  readonly second: EntityUse & { readonly type: string }
}

/**
 * Every distinct join key, in the order of first use. In GraphQL a role's key is called as an entity's own key of that name
 * is, if one is among them; else by its name.
 */
export function mergeJoinKeys(
  uses: readonly EntityUse[],
  onConflict: (conflict: KeyConflict) => void,
): JoinKey[] {
  const named = uses.flatMap((use) =>
    use.entity.joinKeys.map((key) => ({ use, key, name: keyInRole(key.name, use.role) })),
  )
  const merged = new Map<string, (typeof named)[number] & { readonly graphqlName: string }>()
  for (const one of named) {
    const { use, key, name } = one
    const own = named.find((other) => other.name === name && other.key.name === name)
    const graphqlName = key.name === name ? key.graphqlName : (own?.key.graphqlName ?? fieldName(name))
    const other = merged.get(name)
    if (!other) {
      merged.set(name, { ...one, graphqlName })
    } else if (other.key.type !== key.type || other.graphqlName !== graphqlName) {
      const [first, second] = [
        { ...other.use, type: other.key.type },
        { ...use, type: key.type },
      ]
      onConflict({ name, first, second })
    }
  }
  return [...merged.values()].map(({ name, graphqlName, key }) => ({ name, graphqlName, type: key.type }))
}
