import type { Feature } from '../../registry/registry.ts'
import { type Freshness, rowValue, type ViewRow } from '../view-row.ts'
import type { JsonBytes } from './json-bytes.ts'

/** A field of a view's object in an answer, under the name that it has there. */
export type SelectedField =
  | { readonly kind: 'feature'; readonly name: string; readonly feature: Feature }
  | { readonly kind: 'freshness'; readonly name: string; readonly fields: readonly SelectedFreshness[] }
  | Constant

export type SelectedFreshness =
  | { readonly kind: 'fact'; readonly name: string; readonly fact: keyof Freshness }
  | Constant

/** The same in every row, as `__typename`. */
interface Constant {
  readonly kind: 'constant'
  readonly name: string
  readonly json: string
}

/** What is selected of a view's row, in the answer's order. One object per place in an operation: writers are kept by it. */
export type SelectedRow = readonly SelectedField[]

/** What stands in front of a field's value. */
export function keyText(name: string, index: number): string {
  return `${index === 0 ? '' : ','}"${name}":`
}

/** A row of any status and kind, of whatever layout it was read. */
export function writeSelected(selected: SelectedRow, row: ViewRow, out: JsonBytes): void {
  out.raw('{')
  selected.forEach((field, index) => {
    out.raw(keyText(field.name, index))
    if (field.kind === 'constant') out.raw(field.json)
    else if (field.kind === 'freshness') writeFreshness(field.fields, row.freshness, out)
    else out.value(field.feature.type, rowValue(row, field.feature.graphqlName))
  })
  out.raw('}')
}

function writeFreshness(fields: readonly SelectedFreshness[], freshness: Freshness, out: JsonBytes): void {
  out.raw('{')
  fields.forEach((field, index) => {
    out.raw(keyText(field.name, index))
    if (field.kind === 'constant') out.raw(field.json)
    else writeFact(field.fact, freshness, out)
  })
  out.raw('}')
}

function writeFact(fact: keyof Freshness, freshness: Freshness, out: JsonBytes): void {
  switch (fact) {
    case 'eventTimestamp':
    case 'createdTimestamp':
    case 'expiresAt':
      out.timestamp(freshness[fact])
      break
    case 'ageSeconds':
    case 'lagSeconds': {
      const seconds = freshness[fact]
      if (seconds === null) out.raw('null')
      else out.number(seconds)
      break
    }
    case 'status':
    case 'source':
    case 'reason': {
      const word = freshness[fact]
      out.raw(word === null ? 'null' : `"${word}"`)
    }
  }
}
