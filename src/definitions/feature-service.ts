import { z } from 'zod'
import { documented } from './entity.ts'
import type { Pick } from './feature-view.ts'
import { explicitGraphqlName, registryName } from './name.ts'
import { valueType } from './value-type.ts'

const pickRole = z.strictObject({
  name: registryName,
  /** The entity's join key → what the service calls it. */
  keys: z.record(registryName, registryName).refine((keys) => Object.keys(keys).length > 0, {
    error: "a role has a join key of its own, as { customer_id: 'payee_id' }",
  }),
})

export const pick = z.strictObject({
  kind: z.literal('pick'),
  view: registryName,
  role: pickRole.optional(),
  features: z
    .array(
      z.strictObject({
        name: registryName,
        as: registryName.optional(),
        default: z.number().optional(),
      }),
    )
    .min(1, 'pick at least one feature'),
})

export const requestValue = z.strictObject({
  kind: z.literal('request'),
  name: registryName,
  type: valueType,
  default: z.number().optional(),
  description: z.string().min(1).optional(),
  graphqlName: explicitGraphqlName.optional(),
})

export const featureServiceDefinition = z.strictObject({
  kind: z.literal('feature-service'),
  name: registryName,
  features: z
    .array(z.discriminatedUnion('kind', [pick, requestValue]))
    .min(1, 'a feature service has at least one feature'),
  graphqlName: explicitGraphqlName.optional(),
  ...documented,
})

export type FeatureServiceDefinition = z.input<typeof featureServiceDefinition>
export type RequestValueDefinition = z.input<typeof requestValue>

/** A value that the caller of a service sends with each key; it takes its place in the vector. Optional if it has a default. */
export function request<
  const Name extends string,
  const Type extends RequestValueDefinition['type'],
  const Options extends Omit<RequestValueDefinition, 'kind' | 'name' | 'type'> = object,
>(
  name: Name,
  type: Type,
  options?: Options,
): RequestValueDefinition & { readonly name: Name; readonly type: Type } & Options {
  return { kind: 'request', name, type, ...(options as Options) }
}

/** What one model takes: an ordered list of features and request values. The order is the vector's. */
export function featureService(
  name: string,
  features: readonly (Pick | RequestValueDefinition)[],
  options: Omit<FeatureServiceDefinition, 'kind' | 'name' | 'features'> = {},
): FeatureServiceDefinition {
  return {
    kind: 'feature-service',
    name,
    features: features.map((item) =>
      item.kind === 'pick' ? { ...item, features: [...item.features] } : item,
    ),
    ...options,
  }
}
