import { z } from 'zod'
import { explicitGraphqlName, registryName, renamedFrom } from './name.ts'
import { joinKeyType } from './value-type.ts'

/** What every definition may have for its readers. */
export const documented = {
  description: z.string().min(1).optional(),
  owner: z.string().min(1).optional(),
  tags: z.record(z.string().min(1), z.string()).default({}),
}

export const entityDefinition = z.strictObject({
  kind: z.literal('entity'),
  name: registryName,
  joinKeys: z
    .record(
      registryName,
      z.union(
        [joinKeyType, z.strictObject({ type: joinKeyType, graphqlName: explicitGraphqlName.optional() })],
        { error: `a join key is a type (${joinKeyType.options.join(', ')}) or { type, graphqlName }` },
      ),
    )
    .refine((keys) => Object.keys(keys).length > 0, { error: 'an entity has at least one join key' }),
  graphqlName: explicitGraphqlName.optional(),
  plural: explicitGraphqlName.optional(),
  renamedFrom,
  ...documented,
})

export type EntityDefinition = z.input<typeof entityDefinition>

/** The names of an entity's join keys. */
export type JoinKeyName<Entity extends EntityDefinition> = Extract<keyof Entity['joinKeys'], string>

/**
 * What features describe: a customer, or a (merchant, device) pair. The order of the join keys is part of its identity.
 * `plural` names the list field where English is irregular. Checked with everything else when the registry is built.
 */
export function entity<
  const Name extends string,
  const JoinKeys extends EntityDefinition['joinKeys'] = EntityDefinition['joinKeys'],
>(
  name: Name,
  options: Omit<EntityDefinition, 'kind' | 'name' | 'joinKeys'> & { readonly joinKeys: JoinKeys },
): Omit<EntityDefinition, 'name' | 'joinKeys'> & { readonly name: Name; readonly joinKeys: JoinKeys } {
  return { kind: 'entity', name, ...options }
}
