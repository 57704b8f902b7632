import { z } from 'zod'
import { fileSourceDefinition, postgresSourceDefinition } from './data-source.ts'
import { duration } from './duration.ts'
import { documented, type EntityDefinition, type JoinKeyName } from './entity.ts'
import { expectationDefinition, rowCountExpectation } from './expectation.ts'
import { explicitGraphqlName, registryName, renamedFrom } from './name.ts'
import { parquetSourceDefinition } from './parquet-source.ts'
import { schedule } from './schedule.ts'
import { shownTypes, type ValueType, valueType } from './value-type.ts'

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
  source: z
    .discriminatedUnion('kind', [postgresSourceDefinition, parquetSourceDefinition, fileSourceDefinition])
    .optional(),
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

/** Names and types of features, for the compiler alone. */
export type FeatureTypes = Readonly<Record<string, ValueType>>
declare const pickedTypes: unique symbol

/** Under which names a service takes an entity's join keys: `{ customer_id: 'payee_id' }`. Those left out keep theirs. */
type RoleKeys<JoinKey extends string> = { readonly [Name in JoinKey]?: string }

/** What an entity is in a service in which it stands more than once. */
export interface PickRole {
  readonly name: string
  /** The entity's join key → what the service calls it. */
  readonly keys: Readonly<Record<string, string>>
}

/** Features of one view, in the order of a service's vector. `Types`: by the names that they are picked under. */
export interface Pick<Types extends FeatureTypes = FeatureTypes> {
  readonly kind: 'pick'
  readonly view: string
  readonly role?: PickRole
  readonly features: readonly PickedFeature[]
  readonly [pickedTypes]?: Types
}

type Options<Entity, Features> = Omit<FeatureViewDefinition, 'kind' | 'name' | 'entity' | 'features'> & {
  readonly entity: Entity
  readonly features: Features
}

type NameIn<Types extends FeatureTypes> = Extract<keyof Types, string>
type NameOf<Picked> = Picked extends { readonly name: infer Name } ? Name : Picked

type PickedTypes<Types extends FeatureTypes, Picked> = {
  readonly [One in Picked as One extends { readonly as: infer As extends string }
    ? As
    : NameOf<One> & string]: Types[NameOf<One> & keyof Types]
}

export type PickFeatures<Types extends FeatureTypes> = <
  const Picked extends readonly (NameIn<Types> | PickedFeature<NameIn<Types>>)[],
>(
  ...features: Picked
) => Pick<PickedTypes<Types, Picked[number]>>

/** What a service takes of a view. */
interface Picking<Types extends FeatureTypes, JoinKey extends string> {
  /** These features, in this order, for a feature service. */
  readonly pick: PickFeatures<Types>
  /**
   * The view of an entity that stands in a service in a role of its own, as the payee of a payment beside its payer. The
   * service takes the role's join keys under the names that `keys` gives them, and calls its features `<role>__<feature>`.
   */
  readonly as: (role: string, keys: RoleKeys<JoinKey>) => { readonly pick: PickFeatures<Types> }
}

export type PickableView<
  Types extends FeatureTypes,
  Definition = FeatureViewDefinition,
  JoinKey extends string = string,
> = Definition & Picking<Types, JoinKey>

export function pickFrom<Types extends FeatureTypes>(
  view: string,
  role: PickRole | null = null,
): PickFeatures<Types> {
  return (...features) => ({
    ...{ kind: 'pick', view },
    ...(role && { role }),
    features: features.map((feature) => (typeof feature === 'string' ? { name: feature } : feature)),
  })
}

export function pickingFrom<Types extends FeatureTypes, JoinKey extends string>(
  view: string,
): Picking<Types, JoinKey> {
  return {
    pick: pickFrom(view),
    as: (name, keys) => ({ pick: pickFrom(view, { name, keys: Object.fromEntries(Object.entries(keys)) }) }),
  }
}

/** The types of declared features. */
export type DeclaredTypes<Features> = {
  readonly [Name in Extract<keyof Features, string>]: Features[Name] extends {
    readonly type: infer Type extends ValueType
  }
    ? Type
    : Extract<Features[Name], ValueType>
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
): PickableView<DeclaredTypes<Features>, FeatureViewDefinition, JoinKeyName<Entity>> {
  const { entity, ...rest } = options
  return { kind: 'feature-view', name, entity: entity.name, ...rest, ...pickingFrom(name) }
}
