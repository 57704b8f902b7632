import { type GraphQLSchema, printSchema } from 'graphql'
import { buildSchemaSync, getMetadataStorage } from 'type-graphql'
import type { Registry } from '../registry/registry.ts'
import { declareCatalogue } from './catalogue-types.ts'
import { queryRoots, type RootDeclaration } from './declare.ts'
import { declareEntity, resolveViews } from './entity-types.ts'
import { declareService } from './service-types.ts'
import { setResolver } from './set-resolver.ts'
import { declareSharedTypes } from './shared-types.ts'

/**
 * The registry's GraphQL schema. Synchronous on purpose: type-graphql keeps one store of declarations per process, which
 * is emptied here, so two builds must never interleave. Schemas made before go on working.
 */
export function buildSchema(registry: Registry): GraphQLSchema {
  getMetadataStorage().clear()
  const shared = declareSharedTypes()
  const roots: Record<string, RootDeclaration> = {}
  for (const entity of registry.entities) Object.assign(roots, declareEntity(entity, shared))
  for (const service of registry.services) Object.assign(roots, declareService(service, shared))
  Object.assign(roots, declareCatalogue(registry))
  const schema = buildSchemaSync({ resolvers: [queryRoots(roots)], validate: false })
  for (const [name, { resolve }] of Object.entries(roots)) setResolver(schema, 'Query', name, resolve)
  for (const entity of registry.entities) resolveViews(entity, schema)
  return schema
}

/** The schema's text, as `featuregraph sdl` prints it. */
export function printSdl(schema: GraphQLSchema): string {
  return `${printSchema(schema)}\n`
}
