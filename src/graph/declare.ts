import 'reflect-metadata'
import { type GraphQLFieldResolver, GraphQLString } from 'graphql'
import { Arg, Field, InputType, Mutation, ObjectType, Query, Resolver, registerEnumType } from 'type-graphql'
import type { GraphContext } from './context.ts'
import type { CompileRoot } from './direct/root-writer.ts'
import type { WorkClass } from './work.ts'

/** A class made at run time; type-graphql knows types by their class. */
export type TypeClass = abstract new () => object

/** A scalar, an enum object or a class; in an array for a list, in two for a list of lists. */
type Type = object

export interface ArgumentDeclaration {
  readonly type: Type
  readonly nullable?: boolean
  readonly description?: string
  /** Of a nullable argument: what it is when it is left out. */
  readonly defaultValue?: unknown
}

export interface FieldDeclaration {
  readonly type: Type
  /** 'items': a list of nullable values. */
  readonly nullable?: boolean | 'items'
  readonly description?: string | null
  readonly deprecationReason?: string | null
  readonly arguments?: Readonly<Record<string, ArgumentDeclaration>>
}

type RootResolve = GraphQLFieldResolver<unknown, GraphContext, Readonly<Record<string, unknown>>>

/** A root field. Its resolver is set on the built schema: type-graphql's own wrapper sorts and maps arguments per call. */
export interface RootDeclaration extends FieldDeclaration {
  readonly resolve: RootResolve
  /** Without arguments for times and selections that make it dearer. Default: a query is of the catalogue, a mutation ingestion. */
  readonly workClass?: WorkClass
  /** Of a query whose answers can be written past its resolvers. */
  readonly writer?: CompileRoot
}

/** Text, as a field or an argument. */
export const text = { type: GraphQLString } as const
/** Text that may be null, or an argument that may be left out. */
export const optionalText = optional(GraphQLString)

/** A field that may be null, or an argument that may be left out. */
export function optional<Declared extends Type>(type: Declared, description?: string) {
  return { type, nullable: true, ...(description === undefined ? {} : { description }) } as const
}

/** An enum type of these values; what is returned stands for it where a type is wanted. */
export function enumType(name: string, values: readonly string[], description?: string): object {
  const members = Object.fromEntries(values.map((value) => [value, value]))
  registerEnumType(members, { name, ...(description === undefined ? {} : { description }) })
  return members
}

function namedClass(name: string): TypeClass {
  const holder = { [name]: class {} }
  const made = holder[name]
  if (made === undefined) throw new TypeError(`no class could be made for ${name}`)
  return made
}

function decorateMember(
  made: TypeClass,
  name: string,
  declaration: FieldDeclaration,
  decorate: MethodDecorator & PropertyDecorator,
): void {
  const declared = Object.entries(declaration.arguments ?? {})
  if (declared.length > 0)
    Object.defineProperty(made.prototype, name, { value() {}, configurable: true, writable: true })
  declared.forEach(([argument, { type, ...options }], index) => {
    Arg(argument, () => type, options)(made.prototype, name, index)
  })
  const descriptor = Object.getOwnPropertyDescriptor(made.prototype, name)
  if (descriptor) decorate(made.prototype, name, descriptor)
  else decorate(made.prototype, name)
}

function memberOptions(declaration: FieldDeclaration) {
  const { description = null, deprecationReason = null, nullable = false } = declaration
  return {
    nullable,
    ...(description === null ? {} : { description }),
    ...(deprecationReason === null ? {} : { deprecationReason }),
  }
}

type Fields = Readonly<Record<string, FieldDeclaration>>

/** An object type. Fields are plain properties; one with arguments gets its resolver on the built schema. */
export function objectType(name: string, description: string | null, fields: Fields): TypeClass {
  const made = namedClass(name)
  for (const [field, declaration] of Object.entries(fields)) {
    decorateMember(
      made,
      field,
      declaration,
      Field(() => declaration.type, memberOptions(declaration)),
    )
  }
  ObjectType(name, { simpleResolvers: true, ...(description === null ? {} : { description }) })(made)
  return made
}

type InputFields = Readonly<Record<string, FieldDeclaration & Pick<ArgumentDeclaration, 'defaultValue'>>>

export function inputType(name: string, description: string | null, fields: InputFields): TypeClass {
  const made = namedClass(name)
  for (const [field, declaration] of Object.entries(fields)) {
    Field(() => declaration.type, {
      ...memberOptions(declaration),
      ...('defaultValue' in declaration ? { defaultValue: declaration.defaultValue } : {}),
    })(made.prototype, field)
  }
  InputType(name, description === null ? {} : { description })(made)
  return made
}

type Roots = Readonly<Record<string, RootDeclaration>>

/** The class whose methods are the fields of Query. */
export function queryRoots(roots: Roots): TypeClass {
  return rootClass('Roots', roots, Query)
}

/** The class whose methods are the fields of Mutation. */
export function mutationRoots(roots: Roots): TypeClass {
  return rootClass('Mutations', roots, Mutation)
}

function rootClass(name: string, roots: Roots, decorator: typeof Query | typeof Mutation): TypeClass {
  const made = namedClass(name)
  for (const [field, declaration] of Object.entries(roots)) {
    Object.defineProperty(made.prototype, field, { value() {}, configurable: true, writable: true })
    decorateMember(
      made,
      field,
      declaration,
      decorator(() => declaration.type, memberOptions(declaration)) as MethodDecorator & PropertyDecorator,
    )
  }
  Resolver()(made)
  return made
}
