import { GraphQLString } from 'graphql'
import type { Micros } from '../definitions/timestamp.ts'
import {
  enumType,
  objectType,
  optional,
  optionalText,
  type RootDeclaration,
  type TypeClass,
  text,
} from './declare.ts'
import {
  acceptName,
  acceptPage,
  connectionType,
  type PageInput,
  pageArguments,
  pageOf,
  unreadable,
} from './pages.ts'
import { timestampScalar } from './scalars.ts'
import type { SharedTypes } from './shared-types.ts'

interface ViolationsInput extends PageInput {
  readonly view?: string | null
  readonly since?: Micros | null
}

/** `violations`: what broke an expectation when it entered or was validated, newest first. */
export function declareViolations(
  shared: SharedTypes,
  pageInfo: TypeClass,
): Readonly<Record<string, RootDeclaration>> {
  const action = enumType('ExpectationAction', ['WARN', 'QUARANTINE', 'REJECT'])
  const optionalTime = optional(timestampScalar)
  const violation = objectType('Violation', null, {
    view: text,
    feature: optionalText,
    key: { type: [GraphQLString] },
    rule: { type: shared.expectationRule },
    value: optionalText,
    bound: optionalText,
    message: { ...text, description: 'Value 12000 above maximum 10000.' },
    action: { type: action },
    eventTimestamp: optionalTime,
    recordedAt: { type: timestampScalar },
  })
  return {
    violations: {
      type: connectionType('ViolationConnection', violation, pageInfo),
      description: 'Newest first; first is at most 1,000.',
      arguments: { view: optionalText, since: optionalTime, ...pageArguments },
      resolve: async (_root, input, context) => {
        const { view, since = null, ...page } = input as ViolationsInput
        const { first, after } = acceptPage(page)
        const asked = acceptName('view', view)
        const place = after === null ? null : { recordedAt: after.at, id: Number(after.id) }
        const { idOf, nameOf } = context.recorded.violations
        const filter = { view: asked && idOf(asked), since, after: place, first: first + 1 }
        const found = await context.violations.page(filter).catch(unreadable('violations'))
        const shown = found.map(({ view: id, action: of, ...violation }) => ({
          ...{ ...violation, view: nameOf(id), action: of.toUpperCase() },
        }))
        return pageOf(shown, first, ({ recordedAt, id }) => ({ at: recordedAt, id: String(id) }))
      },
    },
  }
}
