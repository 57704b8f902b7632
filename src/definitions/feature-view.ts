import { z } from 'zod'
import { fileSourceDefinition, postgresSourceDefinition } from './data-source.ts'
import { duration } from './duration.ts'
import { documented, type EntityDefinition, type JoinKeyName } from './entity.ts'
import { expectationDefinition, rowCountExpectation } from './expectation.ts'
import { explicitGraphqlName, registryName, renamedFrom } from './name.ts'
import { schedule } from './schedule.ts'
import { shownTypes, valueType } from './value-type.ts'

/** What every feature may have, however its values come about. */
export const featureNotes = {
  description: z.string().min(1).optional(),
  unit: z.string().min(1).optional(),
  /** Stands in a service's vector where the value is null. */
  default: z.number().optional(),
  deprecated: z.string().min(1).optional(),
  expect: expectationDefinition.optional(),
  graphqlName: explicitGraphqlName.optional(),
  renamedFrom,
}

const featureDefinition = z.union([valueType, z.strictObject({ type: valueType, ...featureNotes })], {
  error: `a feature is a type (${shownTypes.value}) or { type, description, unit, default, deprecated, expect, graphqlName, renamedFrom }`,
})

export const featureViewDefinition = z.strictObject({
  kind: z.literal('feature-view'),
  name: registryName,
  entity: registryName,
  source: z.discriminatedUnion('kind', [postgresSourceDefinition, fileSourceDefinition]).optional(),
  ttl: duration.optional(),
  online: z.boolean().default(true),
  features: z.record(registryName, featureDefinition).refine((features) => Object.keys(features).length > 0, {
    error: 'a feature view has at least one feature',
  }),
  /** By feature, for those that have none of their own. */
  expect: z.record(registryName, expectationDefinition).default({}),
  expectRows: rowCountExpectation.optional(),
  schedule: schedule.optional(),
  graphqlName: explicitGraphqlName.optional(),
  renamedFrom,
  ...documented,
})

export type FeatureViewDefinition = z.input<typeof featureViewDefinition>

/** A feature that a service takes from a view, under another name or with another default where it says so. */
export interface PickedFeature<Name extends string = string> {
  readonly name: Name
  readonly as?: string
  readonly default?: number
}

/** Under which names a service takes an entity's join keys: `{ customer_id: 'payee_id' }`. Those left out keep theirs. */
type RoleKeys<JoinKey extends string> = { readonly [Name in JoinKey]?: string }

/** What an entity is in a service in which it stands more than once. */
export interface PickRole {
  readonly name: string
  /** The entity's join key → what the service calls it. */
  readonly keys: Readonly<Record<string, string>>
}

/** Features of one view, in the order of a service's vector. */
export interface Pick {
  readonly kind: 'pick'
  readonly view: string
  readonly role?: PickRole
  readonly features: readonly PickedFeature[]
}

type Options<Entity, Features> = Omit<FeatureViewDefinition, 'kind' | 'name' | 'entity' | 'features'> & {
  readonly entity: Entity
  readonly features: Features
}

type PickFeatures<FeatureName extends string> = (
  ...features: readonly (FeatureName | PickedFeature<FeatureName>)[]
) => Pick

/** What a service takes of a view. */
interface Picking<FeatureName extends string, JoinKey extends string> {
  /** These features, in this order, for a feature service. */
  readonly pick: PickFeatures<FeatureName>
  /**
   * The view of an entity that stands in a service in a role of its own, as the payee of a payment beside its payer. The
   * service takes the role's join keys under the names that `keys` gives them, and calls its features `<role>__<feature>`.
   */
  readonly as: (role: string, keys: RoleKeys<JoinKey>) => { readonly pick: PickFeatures<FeatureName> }
}

export type PickableView<
  FeatureName extends string,
  Definition = FeatureViewDefinition,
  JoinKey extends string = string,
> = Definition & Picking<FeatureName, JoinKey>

export function pickingFrom<FeatureName extends string, JoinKey extends string>(
  view: string,
): Picking<FeatureName, JoinKey> {
  const picking =
    (role: PickRole | null): PickFeatures<FeatureName> =>
    (...features) => ({
      ...{ kind: 'pick', view },
      ...(role && { role }),
      features: features.map((feature) => (typeof feature === 'string' ? { name: feature } : feature)),
    })
  return {
    pick: picking(null),
    as: (name, keys) => ({ pick: picking({ name, keys: Object.fromEntries(Object.entries(keys)) }) }),
  }
}

/**
 * Features of one entity that come together as one row. Without `source`, or with files, the rows stand in a table that
 * the gateway makes from this definition; without `ttl` a value never grows too old; `online: false` keeps it out of the online store.
 */
export function featureView<
  const Features extends FeatureViewDefinition['features'],
  const Entity extends EntityDefinition = EntityDefinition,
>(
  name: string,
  options: Options<Entity, Features>,
): PickableView<Extract<keyof Features, string>, FeatureViewDefinition, JoinKeyName<Entity>> {
  const { entity, ...rest } = options
  return { kind: 'feature-view', name, entity: entity.name, ...rest, ...pickingFrom(name) }
}
