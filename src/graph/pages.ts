import { GraphQLBoolean, GraphQLError, GraphQLInt } from 'graphql'
import type { Micros } from '../definitions/timestamp.ts'
import { BadUserInput, StoreFailed } from '../errors.ts'
import { objectType, optional, optionalText, type TypeClass } from './declare.ts'

/** Where a page ended: a moment, and the id that orders what shares it. */
export interface PagePlace {
  readonly at: Micros
  readonly id: string
}

/** Of a page whose size is not said. */
export const defaultFirst = 100
const maxFirst = 1_000

/** Arguments of every list that is reported in pages. */
export const pageArguments = {
  first: { ...optional(GraphQLInt), defaultValue: defaultFirst },
  after: optionalText,
} as const

export interface PageInput {
  readonly first?: number | null
  readonly after?: string | null
}

/** @throws BadUserInput for a size that is not allowed or a cursor that no page gave. */
export function acceptPage({ first, after }: PageInput): {
  readonly first: number
  readonly after: PagePlace | null
} {
  return { first: acceptFirst(first), after: after == null ? null : readCursor(after) }
}

/** @throws BadUserInput for a size that is not allowed. */
export function acceptFirst(first: number | null | undefined): number {
  const count = first ?? defaultFirst
  if (count < 1 || count > maxFirst) throw new BadUserInput(`first: expected 1 to ${maxFirst}, ${count} came`)
  return count
}

/** The name of a filter; null without it. @throws BadUserInput for what no name has and Postgres does not take. */
export function acceptName(argument: string, name: string | null | undefined): string | null {
  if (name === null || name === undefined) return null
  if (name.length <= longestName && !name.includes('\0') && name.isWellFormed()) return name
  throw new BadUserInput(
    `${argument}: expected a name of at most ${longestName} characters, without U+0000 and lone surrogates`,
  )
}

const longestName = 255

const cursorPattern = /^(-?\d{1,16}) ([0-9a-f-]{1,36})$/

function readCursor(cursor: string): PagePlace {
  const [, at, id] = cursorPattern.exec(Buffer.from(cursor, 'base64url').toString()) ?? []
  if (id === undefined || !Number.isSafeInteger(Number(at))) {
    throw new BadUserInput('after: expected the endCursor of a page of the same list')
  }
  return { at: Number(at), id }
}

function writeCursor({ at, id }: PagePlace): string {
  return Buffer.from(`${at} ${id}`).toString('base64url')
}

/** What a connection answers. `found` holds one node more than was asked for, if there is one. */
export function pageOf<Node>(
  found: readonly Node[],
  first: number,
  placeOf: (node: Node) => PagePlace,
): { readonly nodes: readonly Node[]; readonly pageInfo: object } {
  const nodes = found.slice(0, first)
  const last = nodes.at(-1)
  const endCursor = last === undefined ? null : writeCursor(placeOf(last))
  return { nodes, pageInfo: { hasNextPage: found.length > first, endCursor } }
}

export function declarePageInfo(): TypeClass {
  return objectType('PageInfo', null, { hasNextPage: { type: GraphQLBoolean }, endCursor: optionalText })
}

export function connectionType(name: string, node: TypeClass, pageInfo: TypeClass): TypeClass {
  return objectType(name, null, { nodes: { type: [node] }, pageInfo: { type: pageInfo } })
}

/** What a list answers whose store does not: one error with the code that callers know. */
export function unreadable(list: string): (error: unknown) => never {
  return (error) => {
    if (!(error instanceof StoreFailed)) throw error
    throw new GraphQLError(`the ${list} cannot be read at present`, {
      originalError: error,
      extensions: { code: 'UNAVAILABLE' },
    })
  }
}
