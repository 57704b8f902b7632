import { GraphQLID } from 'graphql'
import { objectType, type RootDeclaration, text } from './declare.ts'
import { unreadable } from './pages.ts'
import { requireRight } from './require-right.ts'
import { timestampScalar } from './scalars.ts'

/** `processes`: those of the project that run now, by what they reported of themselves. */
export function declareProcesses(): Readonly<Record<string, RootDeclaration>> {
  const process = objectType('Process', null, {
    id: { type: GraphQLID },
    kind: { ...text, description: 'gateway, worker or stream.' },
    version: { ...text, description: 'Of the program.' },
    definitions: { ...text, description: 'Digest of the definitions that it serves.' },
    lastSeenAt: { type: timestampScalar },
  })
  return {
    processes: {
      type: [process],
      description:
        'Processes that reported within the last 20 seconds, the oldest first. Needs the right "admin".',
      resolve: async (_root, _input, { caller, processes }) => {
        requireRight(caller, 'admin')
        return await processes.running().catch(unreadable('processes'))
      },
    },
  }
}
