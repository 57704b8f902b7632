import { type FieldNode, type GraphQLField, isObjectType } from 'graphql'
import type { Micros } from '../../definitions/timestamp.ts'
import type { EntityKey } from '../../definitions/value.ts'
import type { JsonBytes } from '../../online/json/json-bytes.ts'
import { longestNumber } from '../../online/json/number-text.ts'
import { keyText, type SelectedRow, writeSelected } from '../../online/json/selected-row.ts'
import { WriterCode } from '../../online/json/writer-code.ts'
import type { Entity, FeatureView } from '../../registry/registry.ts'
import { documentFragments } from '../document-fragments.ts'
import type { NeedTimes } from '../row-sources.ts'
import { selectionPlans } from '../selection-plan.ts'
import type { ViewColumn } from '../view-column.ts'
import { compileArguments } from './read-arguments.ts'
import { type CompileRoot, type RootWriter, Tally, type Values, valueBytes } from './root-writer.ts'
import { selectedRow } from './selected-view.ts'
import { writeKey } from './write-key.ts'

export interface EntityRoot {
  readonly entity: Entity
  /** One object, or a list of them. */
  readonly isList: boolean
  readonly keysOf: (input: Values) => readonly EntityKey[]
  readonly timesOf: (input: Values, now: Micros) => NeedTimes
}

/** A view's field: where its column stands among those read, what is selected of it and how old it may be. */
interface SelectedView {
  readonly view: FeatureView
  readonly selected: SelectedRow
  readonly maxAgeOf: (variables: Values) => Micros | null
}

type WriteView = (index: number, out: JsonBytes) => boolean
type WriteRow = (out: JsonBytes, index: number, key: EntityKey, views: readonly WriteView[]) => boolean

/** Rows of an entity: its join keys and its views. What functions compute and histories are answered by resolvers. */
export function entityWriter({ entity, isList, keysOf, timesOf }: EntityRoot): CompileRoot {
  const planOf = selectionPlans(entity)
  return ({ schema, document, operation, field, fieldsOf, argumentsOf }): RootWriter | null => {
    const type = schema.getType(entity.typeName)
    const declared = isObjectType(type) ? type.getFields() : {}
    const code = new WriterCode()
    const views: SelectedView[] = []
    let rowBytes = 2
    code.constant('{')
    for (const [index, answered] of fieldsOf(field.selections).entries()) {
      const { name, node } = answered
      code.constant(keyText(name, index))
      rowBytes += keyText(name, index).length + valueBytes
      const asked = node.name.value
      const place = entity.joinKeys.findIndex(({ graphqlName }) => graphqlName === asked)
      const view = entity.views.find(({ graphqlName }) => graphqlName === asked)
      if (asked === '__typename') code.constant(JSON.stringify(entity.typeName))
      else if (place >= 0) addKey(code, entity, place)
      else if (view) {
        const selected = selectedRow(view, answered, fieldsOf)
        if (selected === null) return null
        code.foreign(`if (!views[${views.length}](i, o)) return false`)
        views.push({ view, selected, maxAgeOf: maxAgeOf(declared[asked], node) })
        for (const { name: inner } of selected) rowBytes += keyText(inner, 1).length + valueBytes
      } else return null
    }
    code.constant('}')
    const writeRow = made(code)
    const fragments = Object.fromEntries(documentFragments(document))
    const viewsOf = planOf({ operation, fragments, path: { key: field.name } })
    return {
      rowBytes,
      ask(variables, now) {
        const input = argumentsOf(variables)
        const keys = keysOf(input)
        const times = timesOf(input, now)
        const read = viewsOf(variables)
        const ages = views.map(({ maxAgeOf }) => maxAgeOf(variables))
        return {
          needs: read.length === 0 ? [] : [{ entity, keys, views: read, times }],
          write([columns = []], out, tallies) {
            const writers = views.map(({ view, selected }, index) => {
              const column = columns[read.indexOf(view)]
              if (!column) throw new TypeError(`view ${view.name} was selected but not read`)
              const tally = new Tally(column)
              tallies.push(tally)
              return viewWriter(column, selected, ages[index] ?? null, tally)
            })
            if (isList) out.raw('[')
            for (let index = 0; index < keys.length; index += 1) {
              if (index > 0) out.raw(',')
              if (!writeRow(out, index, keys[index] as EntityKey, writers) || out.isFull()) return false
            }
            if (isList) out.raw(']')
            return true
          },
        }
      },
    }
  }
}

function maxAgeOf(
  field: GraphQLField<unknown, unknown> | undefined,
  node: FieldNode,
): SelectedView['maxAgeOf'] {
  if (field === undefined) throw new TypeError(`the schema has no view ${node.name.value}`)
  const argumentsOf = compileArguments(field, node)
  return (variables) => (argumentsOf(variables)['maxAge'] as Micros | null | undefined) ?? null
}

function addKey(code: WriterCode, { joinKeys }: Entity, place: number): void {
  const type = joinKeys[place]?.type
  if (type === 'int32' || type === 'int64') code.value(`p = writeKey(b, p, key[${place}])`, longestNumber)
  else code.foreign(`o.text(key[${place}])`)
}

function made(code: WriterCode): WriteRow {
  return new Function('writeKey', `return (o, i, key, views) => {\n${code.body()}\nreturn true\n}`)(writeKey)
}

function viewWriter(
  column: ViewColumn,
  selected: SelectedRow,
  maxAge: Micros | null,
  tally: Tally,
): WriteView {
  const write = column.json(selected)
  const { statuses } = tally
  return (index, out) => {
    const row = write(index, maxAge, out)
    if (row === null) {
      statuses.PRESENT += 1
      return true
    }
    if (row.$status === 'UNAVAILABLE') return false
    statuses[row.$status] += 1
    writeSelected(selected, row, out)
    return true
  }
}
