import { GraphQLError, GraphQLString } from 'graphql'
import { DeletionUnfinished, StoreFailed } from '../errors.ts'
import type { Entity } from '../registry/registry.ts'
import { objectType, type RootDeclaration, type TypeClass, text } from './declare.ts'
import type { KeyArguments } from './entity-types.ts'
import { requireRight } from './require-right.ts'
import { int64Scalar, timestampScalar } from './scalars.ts'

/** A mutation per entity; nothing at all when there is none. */
export function declareDeletions(
  entities: readonly { readonly entity: Entity; readonly keys: KeyArguments }[],
): Readonly<Record<string, RootDeclaration>> {
  if (entities.length === 0) return {}
  const count = objectType('DeletionCount', null, { place: text, rows: { type: int64Scalar } })
  const receipt = objectType('DeletionReceipt', null, {
    entity: text,
    deletedAt: { type: timestampScalar, description: 'Rows and events up to here are refused from now on.' },
    counts: { type: [count], description: 'What was deleted, by place.' },
    notReached: {
      type: [GraphQLString],
      description: 'What may hold data of it still, and is out of reach.',
    },
  })
  return Object.fromEntries(
    entities.map(({ entity, keys }) => [`delete${entity.typeName}`, declareDeletion(entity, keys, receipt)]),
  )
}

function declareDeletion(
  entity: Entity,
  { one, readOne }: KeyArguments,
  receipt: TypeClass,
): RootDeclaration {
  return {
    type: receipt,
    description: `Deletes one ${entity.name}, everywhere and for good: what is dated up to now never comes back. Needs the right "admin".`,
    arguments: one,
    async resolve(_root, input, { caller, deleteEntity, audit }) {
      requireRight(caller, 'admin')
      const receipt = await deleteEntity(entity, readOne(input)).catch(unfinished)
      audit({ action: 'DELETE_ENTITY', subject: entity.name, count: 1 })
      return receipt
    },
  }
}

/** What a caller can do something about is reported; a store's own words are not. */
function unfinished(error: unknown): never {
  if (!(error instanceof DeletionUnfinished || error instanceof StoreFailed)) throw error
  const message =
    error instanceof DeletionUnfinished
      ? error.message
      : 'the offline store did not answer; delete it again, which does no harm if it was deleted'
  throw new GraphQLError(message, { originalError: error, extensions: { code: 'UNAVAILABLE' } })
}
