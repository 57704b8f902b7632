import { fieldName } from '../definitions/graphql-name.ts'
import type { Report } from '../errors.ts'
import { type NameTable, nameTable } from './name-table.ts'
import type { Entity, FeatureService, FeatureView, OnDemandView, Registry } from './registry.ts'
import {
  javascriptNames,
  reservedColumns,
  reservedFeatureFields,
  reservedKeyFields,
  reservedRootFields,
  reservedServiceFields,
  reservedTypeNames,
} from './reserved-names.ts'

/** Every name that the GraphQL schema and the tables will have, now or later, is free and taken once. */
export function checkNames(registry: Registry, report: Report): void {
  const types = nameTable('the types of the schema', reservedTypeNames, report)
  const roots = nameTable('the fields of Query', reservedRootFields, report)
  const mutations = nameTable('the fields of Mutation', reservedRootFields, report)
  for (const entity of registry.entities) {
    checkEntity(entity, types, roots, report)
    mutations.take(`delete${entity.typeName}`, `entity ${entity.name}`)
  }
  for (const view of registry.views) {
    checkView(view, types, report)
    mutations.take(`push${view.typeName}`, `feature view ${view.name}`)
  }
  for (const view of registry.onDemandViews) checkOnDemandView(view, types, report)
  for (const service of registry.services) checkService(service, types, roots, report)
}

function checkEntity(entity: Entity, types: NameTable, roots: NameTable, report: Report): void {
  const place = `entity ${entity.name}`
  roots.take(entity.graphqlName, place)
  for (const name of [entity.pluralName, `${entity.pluralName}AsOf`]) roots.take(name, place, 'plural')
  for (const suffix of ['', 'AsOf', 'Key']) types.take(`${entity.typeName}${suffix}`, place)
  const fields = nameTable(`the fields of ${entity.typeName}`, reservedKeyFields, report)
  for (const key of entity.joinKeys) {
    fields.take(key.graphqlName, `${place}.joinKeys.${key.name}`)
    checkColumn(`${place}.joinKeys.${key.name}`, key.name, featureTableColumns, report)
  }
  for (const view of entity.views) {
    fields.take(view.graphqlName, `feature view ${view.name}`)
    fields.take(`${view.graphqlName}History`, `feature view ${view.name}`)
  }
  for (const view of entity.onDemandViews) fields.take(view.graphqlName, `feature view ${view.name}`)
}

function checkOnDemandView(view: OnDemandView, types: NameTable, report: Report): void {
  const place = `feature view ${view.name}`
  types.take(view.typeName, place)
  const fields = nameTable(`the fields of ${view.typeName}`, reservedFeatureFields, report)
  for (const { name, graphqlName } of view.features) {
    fields.take(graphqlName, `${place}.features.${name}`)
    // In a training set it is a column.
    checkColumn(`${place}.features.${name}`, name, featureTableColumns, report)
  }
  const requests = nameTable(`the arguments of ${view.graphqlName}`, reservedKeyFields, report)
  for (const input of view.inputs) {
    if (input.kind === 'request') requests.take(input.request.graphqlName, `${place} (request ${input.name})`)
    // A function finds it among the properties of an object.
    if (javascriptNames.has(input.name)) {
      const message = `"${input.name}" means something to JavaScript objects; name the input otherwise`
      report({ path: `${place}.inputs`, message })
    }
  }
}

function checkView(view: FeatureView, types: NameTable, report: Report): void {
  const place = `feature view ${view.name}`
  for (const suffix of ['', 'History', 'Stored', 'Push']) types.take(`${view.typeName}${suffix}`, place)
  const fields = nameTable(`the fields of ${view.typeName}`, reservedFeatureFields, report)
  // Pushed rows hold keys and features side by side, as the table does.
  for (const key of view.entity.joinKeys) fields.take(key.graphqlName, `${place} (join key ${key.name})`)
  for (const feature of view.features) {
    fields.take(feature.graphqlName, `${place}.features.${feature.name}`)
    checkColumn(`${place}.features.${feature.name}`, feature.name, featureTableColumns, report)
    if (view.entity.joinKeys.some((key) => key.name === feature.name)) {
      const message = `"${feature.name}" is a join key of entity "${view.entity.name}"; rename the feature`
      report({ path: `${place}.features.${feature.name}`, message })
    }
  }
}

function checkService(service: FeatureService, types: NameTable, roots: NameTable, report: Report): void {
  const place = `feature service ${service.name}`
  for (const suffix of ['', 'Columns', 'AsOf']) roots.take(`${service.graphqlName}${suffix}`, place)
  for (const suffix of ['', 'Key', 'Columns', 'Statuses', 'AsOf', 'AsOfRow', 'AsOfConnection']) {
    types.take(`${service.typeName}${suffix}`, place)
  }
  const fields = nameTable(`the fields of ${service.typeName}`, reservedServiceFields, report)
  checkRoleKeys(service, report)
  const roleKeys = new Set(service.roles.flatMap(({ keys }) => keys.map(({ name }) => name)))
  for (const { name, graphqlName } of service.joinKeys) {
    const option = roleKeys.has(name) ? "its role's key" : 'graphqlName'
    fields.take(graphqlName, `${place} (join key ${name})`, option)
  }
  for (const entry of service.vector) {
    const renamed = entry.kind !== 'request' && entry.name !== entry.feature.name
    fields.take(entry.graphqlName, `${place} (${entry.name})`, renamed ? 'as' : 'graphqlName')
  }
  for (const { name, graphqlName } of service.requests) {
    const isInVector = service.vector.some((entry) => entry.kind === 'request' && entry.name === name)
    const isOfView = service.vector.some(
      (entry) => entry.kind === 'on-demand' && entry.view.inputs.some((input) => input.name === name),
    )
    // It is sent beside the keys, and is a column of a training set's spine beside the features.
    if (!isInVector && isOfView) fields.take(graphqlName, `${place} (request ${name} of an on-demand view)`)
  }
}

/** What a role calls a join key is a column of a spine and a field beside the times, as an entity's own join key is. */
function checkRoleKeys({ name: service, roles }: FeatureService, report: Report): void {
  for (const { name: role, keys } of roles) {
    for (const { joinKey, name } of keys) {
      const path = `feature service ${service} (role ${role}, ${joinKey})`
      if (name === joinKey) continue
      checkColumn(path, name, featureTableColumns, report)
      if (reservedKeyFields.has(fieldName(name)) && !reservedColumns.has(name))
        report({ path, message: `"${name}" is a reserved name among the arguments of keys; rename it` })
    }
  }
}

export const featureTableColumns = { columns: reservedColumns, table: 'feature table' } as const

/** A name that becomes a column beside those that every such table has. */
export function checkColumn(
  path: string,
  name: string,
  { columns, table }: { readonly columns: ReadonlySet<string>; readonly table: string },
  report: Report,
): void {
  if (columns.has(name)) {
    report({ path, message: `"${name}" is a column that every ${table} has; rename it` })
  } else if (javascriptNames.has(name)) {
    report({ path, message: `"${name}" means something to JavaScript objects; rename it` })
  }
}
