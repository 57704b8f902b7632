import { GraphQLInt, type GraphQLSchema } from 'graphql'
import { BadUserInput } from '../errors.ts'
import { placeOf } from '../registry/versions/changed-definitions.ts'
import { objectType, optionalText, type RootDeclaration, type TypeClass, text } from './declare.ts'
import {
  acceptPage,
  connectionType,
  type PageInput,
  type PagePlace,
  pageArguments,
  pageOf,
  unreadable,
} from './pages.ts'
import { timestampScalar } from './scalars.ts'
import { setResolver } from './set-resolver.ts'

/** `registryVersions`: what was applied when, by whom and why, newest first. */
export function declareRegistryVersions(pageInfo: TypeClass): Readonly<Record<string, RootDeclaration>> {
  const version = objectType('RegistryVersion', null, {
    version: { type: GraphQLInt },
    appliedAt: { type: timestampScalar },
    appliedBy: text,
    message: optionalText,
    changes: { type: [text.type], description: 'What it changed, a line each.' },
  })
  return {
    registryVersions: {
      type: connectionType('RegistryVersionConnection', version, pageInfo),
      description: 'Newest first; first is at most 1,000.',
      arguments: pageArguments,
      resolve: async (_root, input, { versions }) => {
        const { first, after } = acceptPage(input as PageInput)
        const found = await versions
          .list(after && numberOf(after), first + 1)
          .catch(unreadable("registry's versions"))
        return pageOf(found, first, (one) => ({ at: one.appliedAt, id: String(one.version) }))
      },
    },
  }
}

/** @throws BadUserInput for a cursor of another list. */
function numberOf({ id }: PagePlace): number {
  if (!/^[1-9]\d{0,8}$/.test(id))
    throw new BadUserInput('after: expected the endCursor of a page of registryVersions')
  return Number(id)
}

/** In which version of the registry something last changed: 0 where its definitions were never applied. */
export const registryVersion = {
  type: GraphQLInt,
  description: 'The version of the registry that last changed it.',
} as const

/** The version is that of the registry which serves the request. */
export function resolveRegistryVersions(schema: GraphQLSchema): void {
  const kinds = { Entity: 'entity', FeatureView: 'feature-view', FeatureService: 'feature-service' } as const
  for (const [type, kind] of Object.entries(kinds))
    setResolver<{ readonly name: string }, unknown>(
      ...[schema, type, 'registryVersion'],
      ({ name }, _input, { changedIn }) => changedIn(placeOf(kind, name)),
    )
}
