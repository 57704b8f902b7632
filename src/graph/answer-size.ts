import type { DocumentNode, OperationDefinitionNode, SelectionSetNode } from 'graphql'
import type { Value } from '../definitions/value.ts'
import { documentFragments } from './document-fragments.ts'
import { visitSelections } from './visit-selections.ts'

/** What a request has read of stored rows, counted as they come in, a row as often as it is asked for. One a request. */
export interface ReadBytes {
  readonly limit: number
  /** Every value that is read may be answered so many times. Set before the first read. */
  repeats: number
  /** As they count; also past the limit. */
  total: number
}

/** Ends the reads of a request; the executor answers in its place. */
export class TooManyBytes extends Error {
  override readonly name = 'TooManyBytes'
}

/** @throws TooManyBytes past the limit: nothing of what was read is decoded then. */
export function addReadBytes(read: ReadBytes, bytes: number): void {
  read.total += bytes * read.repeats
  if (read.total > read.limit)
    throw new TooManyBytes(`${read.total} bytes were read, the limit is ${read.limit}`)
}

/** Of stored rows that may still be read, each once. */
export function bytesLeft({ limit, total, repeats }: ReadBytes): number {
  return Math.floor((limit - total) / repeats)
}

/**
 * In how many places of the answer one stored value may stand: the most aliases of one field below one root field, a fragment
 * counted once for each path on which it is spread.
 */
export function countRepeats(document: DocumentNode, operation: OperationDefinitionNode): number {
  const fragments = documentFragments(document)
  let most = 1
  visitSelections(operation.selectionSet, {
    fragmentNamed: (name) => fragments.get(name),
    field(root) {
      /** By the names of the fields on the way, all response paths. */
      const places = new Map<string, Set<string>>()
      const visit = (selectionSet: SelectionSetNode | undefined, names: string, path: string): void =>
        visitSelections(selectionSet, {
          fragmentNamed: (name) => fragments.get(name),
          field({ name, alias, selectionSet: inner }) {
            const field = `${names}.${name.value}`
            const place = `${path}.${(alias ?? name).value}`
            const known = places.get(field) ?? new Set()
            places.set(field, known.add(place))
            visit(inner, field, place)
          },
        })
      visit(root.selectionSet, '', '')
      for (const { size } of places.values()) most = Math.max(most, size)
    },
  })
  return most
}

/** What a row of the offline store takes, about: numbers and times as in a packed row. */
export function bytesOfValues(values: readonly (Value | null)[]): number {
  let bytes = 0
  for (const value of values) {
    if (typeof value === 'string' || value instanceof Uint8Array) bytes += value.length
    else if (Array.isArray(value)) bytes += bytesOfValues(value)
    else bytes += 8
  }
  return bytes
}
