import { GraphQLID } from 'graphql'
import type { Micros } from '../definitions/timestamp.ts'
import { BadUserInput } from '../errors.ts'
import { type RunFilter, type RunKind, runKinds, runStates } from '../stores/run-store.ts'
import {
  enumType,
  objectType,
  optional,
  optionalText,
  type RootDeclaration,
  type TypeClass,
} from './declare.ts'
import {
  acceptName,
  acceptPage,
  connectionType,
  type PageInput,
  type PagePlace,
  pageArguments,
  pageOf,
  unreadable,
} from './pages.ts'
import { int64Scalar, timestampScalar } from './scalars.ts'

interface RunsInput extends PageInput {
  readonly kind?: RunKind | null
  readonly view?: string | null
  readonly since?: Micros | null
}

/** `runs`: what was run when and with which outcome, newest first. */
export function declareRuns(pageInfo: TypeClass): Readonly<Record<string, RootDeclaration>> {
  const kind = enumType('RunKind', runKinds)
  const optionalTime = optional(timestampScalar)
  const optionalCount = optional(int64Scalar)
  const run = objectType('Run', null, {
    id: { type: GraphQLID },
    kind: { type: kind },
    view: optionalText,
    asOf: optionalTime,
    state: { type: enumType('RunState', runStates) },
    startedAt: { type: timestampScalar },
    finishedAt: optionalTime,
    rowsRead: optionalCount,
    rowsWritten: optionalCount,
    error: optionalText,
  })
  return {
    runs: {
      type: connectionType('RunConnection', run, pageInfo),
      description: 'Newest first; first is at most 1,000.',
      arguments: { kind: optional(kind), view: optionalText, since: optionalTime, ...pageArguments },
      resolve: async (_root, input, context) => {
        const { kind: ofKind = null, view, since = null, ...page } = input as RunsInput
        const { first, after } = acceptPage(page)
        const asked = acceptName('view', view)
        const { idOf, nameOf } = context.recorded.runs
        const filter = {
          kind: ofKind,
          view: asked && idOf(asked),
          since,
          first: first + 1,
          after: after && placeOfRun(after),
        }
        const found = await context.runs.runs(filter).catch(unreadable('runs'))
        // A store's own words may name hosts: they are for those who may operate the gateway.
        const tellsErrors = context.caller.rights.has('admin')
        const shown = found.map((one) => ({
          ...one,
          view: one.view && nameOf(one.view),
          error: one.error === null || tellsErrors ? one.error : hiddenError,
        }))
        return pageOf(shown, first, ({ startedAt, id }) => ({ at: startedAt, id }))
      },
    },
  }
}

const hiddenError = 'the run failed; callers with the right admin, and featuregraph runs, see why'

const uuid = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

/** @throws BadUserInput for a cursor of another list. */
function placeOfRun({ at, id }: PagePlace): NonNullable<RunFilter['after']> {
  if (!uuid.test(id)) throw new BadUserInput('after: expected the endCursor of a page of runs')
  return { startedAt: at, id }
}
