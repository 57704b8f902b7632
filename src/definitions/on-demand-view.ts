import { z } from 'zod'
import { documented, type EntityDefinition } from './entity.ts'
import { pick, type RequestValueDefinition, requestValue } from './feature-service.ts'
import {
  type DeclaredTypes,
  type FeatureTypes,
  featureNotes,
  type Pick,
  type PickFeatures,
  pickFrom,
} from './feature-view.ts'
import { explicitGraphqlName, registryName } from './name.ts'
import { shownTypes, type ValueType, valueType } from './value-type.ts'

/** A function of an on-demand view as the program knows it: the input's names are those of its inputs. */
export type ComputeFunction = (input: Readonly<Record<string, unknown>>) => unknown

/** What a stored version has in the place of a function. */
const computeDigest = z.strictObject({
  /** Of the module that exports the view, and of all that it imports by a relative path: what a function is found by. */
  module: z.string(),
  /** Of the function's own text alone. */
  text: z.string(),
})
export type ComputeDigest = z.output<typeof computeDigest>

const asyncFunction = (async () => {}).constructor
const generatorFunction = function* () {}.constructor
const asyncGeneratorFunction = async function* () {}.constructor

const compute = z.union([
  z
    .custom<ComputeFunction>((value) => typeof value === 'function', {
      error: 'compute is a function of the inputs, as (input) => ({ … })',
    })
    .superRefine((value, context) => {
      const kinds = [asyncFunction, generatorFunction, asyncGeneratorFunction]
      if (kinds.some((kind) => value instanceof kind))
        context.addIssue({
          code: 'custom',
          message:
            'compute is a plain function, which answers at once; an async function or a generator came. What has to be waited for is an input',
        })
    }),
  computeDigest,
])

const { description, unit, default: byDefault, deprecated, graphqlName } = featureNotes
const onDemandFeature = z.union(
  [
    valueType,
    z.strictObject({
      type: valueType,
      ...{ description, unit, default: byDefault, deprecated, graphqlName },
    }),
  ],
  {
    error: `a feature of an on-demand view is a type (${shownTypes.value}) or { type, description, unit, default, deprecated, graphqlName }`,
  },
)

export const onDemandViewDefinition = z.strictObject({
  kind: z.literal('on-demand-view'),
  name: registryName,
  /** Left out: that of the picked views. */
  entity: registryName.optional(),
  inputs: z
    .array(z.discriminatedUnion('kind', [pick, requestValue]))
    .min(1, 'an on-demand view has at least one input, a pick or a request value'),
  features: z.record(registryName, onDemandFeature).refine((features) => Object.keys(features).length > 0, {
    error: 'an on-demand view has at least one feature',
  }),
  compute,
  graphqlName: explicitGraphqlName.optional(),
  ...documented,
})

export type OnDemandViewDefinition = z.input<typeof onDemandViewDefinition>

/** What values of a type are to a function: int64 beyond 2^53 is a string of digits, a timestamp microseconds since 1970. */
export type ComputeValue<Type> = Type extends `${infer Element}[]`
  ? readonly ComputeValue<Element>[]
  : Type extends 'int64'
    ? number | string
    : Type extends 'string' | 'uuid'
      ? string
      : Type extends 'bool'
        ? boolean
        : Type extends 'bytes'
          ? Uint8Array
          : number

type Input = Pick | RequestValueDefinition
type InputRecord<One> =
  One extends Pick<infer Types>
    ? { readonly [Name in keyof Types]: ComputeValue<Types[Name]> | null }
    : One extends {
          readonly kind: 'request'
          readonly name: infer Name extends string
          readonly type: infer Type
        }
      ? {
          readonly [Only in Name]:
            | ComputeValue<Type>
            | (One extends { readonly default: number } ? never : null)
        }
      : never
type Intersected<Union> = (Union extends unknown ? (one: Union) => void : never) extends (
  all: infer All,
) => void
  ? All
  : never
/** Written out, as an editor shows it. */
type Flat<Type> = { readonly [Name in keyof Type]: Type[Name] }
type InputOf<Inputs extends readonly Input[]> = Flat<Intersected<InputRecord<Inputs[number]>>>

type AnswerOf<Types extends FeatureTypes> = {
  readonly [Name in keyof Types]: ComputeValue<Types[Name]> | null
}

type Options<Inputs extends readonly Input[], Features> = Omit<
  OnDemandViewDefinition,
  'kind' | 'name' | 'entity' | 'inputs' | 'features' | 'compute'
> & {
  /** Needed only where nothing is picked. */
  readonly entity?: EntityDefinition
  readonly inputs: Inputs
  readonly features: Features
  readonly compute: (input: InputOf<Inputs>) => AnswerOf<DeclaredTypes<Features>>
}

/**
 * Features that a function computes from other features of an entity and from values that the caller sends, each time that
 * they are asked for: online, as of a past time and in training sets. The function gets a fresh object with the inputs by
 * name, null where one is missing, and answers all features at once; it may not wait, and should depend on nothing else. A
 * throw, a promise or a value of another type makes the row's features null, with status FAILED.
 */
export function onDemandView<
  const Inputs extends readonly Input[],
  const Features extends Readonly<Record<string, ValueType | { readonly type: ValueType }>> &
    OnDemandViewDefinition['features'],
>(
  name: string,
  options: Options<Inputs, Features>,
): OnDemandViewDefinition & { readonly pick: PickFeatures<DeclaredTypes<Features>> } {
  const { entity, inputs, compute: computed, ...rest } = options
  return {
    kind: 'on-demand-view',
    name,
    ...(entity && { entity: entity.name }),
    inputs: inputs.map((item) => (item.kind === 'pick' ? { ...item, features: [...item.features] } : item)),
    ...rest,
    // The compiler knows the input's names; the program makes it of exactly these.
    compute: computed as unknown as ComputeFunction,
    pick: pickFrom(name),
  }
}
