import type { Entity, ServiceRole } from './registry.ts'
import { suggest } from './suggest.ts'

/** A role as a pick of a service gives it: the entity's join key → what the service calls it. */
export interface GivenRole {
  readonly name: string
  readonly keys: Readonly<Record<string, string>>
}

/** The roles of one service: each has one name for a join key, whatever views are taken in it. */
export interface RoleTable {
  /** Messages do not name the place; the role is noted also where it is refused. */
  readonly take: (entity: Entity, role: GivenRole, refuse: (message: string) => void) => void
  readonly roles: () => readonly ServiceRole[]
}

export function roleTable(): RoleTable {
  const roles = new Map<string, Map<string, string>>()
  return {
    take(entity, { name, keys }, refuse) {
      const own = entity.joinKeys.map((key) => key.name)
      // An entity that is not there has been reported.
      if (own.length === 0) return
      const given = new Map(Object.entries(keys))
      for (const key of given.keys())
        if (!own.includes(key))
          refuse(`entity "${entity.name}" has no join key "${key}"; ${suggest(key, own)}`)
      const role = roles.get(name) ?? new Map<string, string>()
      roles.set(name, role)
      const called = own.map((key) => given.get(key) ?? key)
      if (called.every((key, place) => key === own[place]))
        refuse(
          `role "${name}" has the join keys of entity "${entity.name}" themselves; give one of them another name, as { ${own[0]}: '${name}_id' }`,
        )
      const twice = called.find((key, place) => called.indexOf(key) !== place)
      if (twice !== undefined) {
        const both = own.filter((_, place) => called[place] === twice).map((key) => `"${key}"`)
        refuse(
          `role "${name}" takes ${both.join(' and ')} of entity "${entity.name}" from one "${twice}"; give them two names`,
        )
      }
      own.forEach((key, place) => {
        const today = called[place] ?? key
        const earlier = role.get(key)
        if (earlier === undefined) role.set(key, today)
        else if (earlier !== today)
          refuse(
            `role "${name}" takes "${key}" from "${earlier}" in one pick and from "${today}" in another; a role has one name for a join key`,
          )
      })
    },
    roles: () =>
      [...roles].map(([name, keys]) => ({
        name,
        keys: [...keys].map(([joinKey, called]) => ({ joinKey, name: called })),
      })),
  }
}
