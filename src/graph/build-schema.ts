import { type GraphQLSchema, printSchema } from 'graphql'
import { buildSchemaSync, getMetadataStorage } from 'type-graphql'
import type { Registry } from '../registry/registry.ts'
import { declareCatalogue } from './catalogue-types.ts'
import { mutationRoots, queryRoots, type RootDeclaration, type TypeClass } from './declare.ts'
import { declareDeletions } from './deletion-types.ts'
import { describeSchema } from './descriptions.ts'
import { setWriter } from './direct/root-writer.ts'
import { declareEntity, keyArguments, resolveViews } from './entity-types.ts'
import { setWork } from './operation-work.ts'
import { declarePageInfo } from './pages.ts'
import { declareProcesses } from './process-types.ts'
import { declarePushes } from './push-types.ts'
import { declareRegistryVersions, resolveRegistryVersions } from './registry-types.ts'
import { declareRuns } from './run-types.ts'
import { declareService } from './service-types.ts'
import { setResolver } from './set-resolver.ts'
import { declareSharedTypes } from './shared-types.ts'
import { declareTrainingSets } from './training-set-types.ts'
import { declareViolations } from './violation-types.ts'

/**
 * The registry's GraphQL schema. Synchronous on purpose: type-graphql keeps one store of declarations per process, which
 * is emptied here, so two builds must never interleave. Schemas made before go on working.
 */
export function buildSchema(registry: Registry): GraphQLSchema {
  getMetadataStorage().clear()
  const shared = declareSharedTypes()
  const roots: Record<string, RootDeclaration> = {}
  const entities = registry.entities.map((entity) => ({ entity, keys: keyArguments(entity) }))
  const pageInfo = declarePageInfo()
  for (const { entity, keys } of entities)
    Object.assign(roots, declareEntity(entity, { ...shared, pageInfo }, keys))
  for (const service of registry.services) Object.assign(roots, declareService(service, shared, pageInfo))
  Object.assign(roots, declareCatalogue(registry))
  Object.assign(roots, declareRuns(pageInfo), declareViolations(shared, pageInfo), declareProcesses())
  Object.assign(roots, declareRegistryVersions(pageInfo))
  const trainingSets = declareTrainingSets(pageInfo)
  Object.assign(roots, trainingSets.queries)
  const mutations = {
    ...declarePushes(registry, shared),
    ...declareDeletions(entities),
    ...asTraining(trainingSets.mutations),
  }
  const resolvers: [TypeClass, ...TypeClass[]] = [queryRoots(roots), mutationRoots(mutations)]
  const schema = buildSchemaSync({ resolvers, validate: false })
  // type-graphql has no way to give one.
  schema.description = describeSchema(registry)
  for (const [name, { resolve, workClass = 'catalogue', writer }] of Object.entries(roots)) {
    setResolver(schema, 'Query', name, resolve)
    setWork(schema, 'Query', name, workClass)
    if (writer) setWriter(schema, name, writer)
  }
  for (const [name, { resolve, workClass = 'ingestion' }] of Object.entries(mutations)) {
    setResolver(schema, 'Mutation', name, resolve)
    setWork(schema, 'Mutation', name, workClass)
  }
  for (const entity of registry.entities) resolveViews(entity, schema)
  resolveRegistryVersions(schema)
  return schema
}

function asTraining(
  roots: Readonly<Record<string, RootDeclaration>>,
): Readonly<Record<string, RootDeclaration>> {
  return Object.fromEntries(
    Object.entries(roots).map(([name, root]) => [name, { ...root, workClass: 'training' }]),
  )
}

/** The schema's text, as `featuregraph sdl` prints it. */
export function printSdl(schema: GraphQLSchema): string {
  return `${printSchema(schema)}\n`
}
