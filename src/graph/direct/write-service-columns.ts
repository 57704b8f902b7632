import type { EntityKey, Value } from '../../definitions/value.ts'
import type { JsonBytes } from '../../online/json/json-bytes.ts'
import { keyText } from '../../online/json/selected-row.ts'
import type { ServiceColumns } from '../../online/service-columns.ts'
import type { FeatureService } from '../../registry/registry.ts'
import { type CompileRoot, valueBytes } from './root-writer.ts'
import type { AnsweredField, AnsweredFields } from './selected-fields.ts'
import { askService, inputsOf, vectorsOf } from './service-inputs.ts'
import type { ServiceParts } from './write-service.ts'
import { propertyOf, writeKeyValue, writeNumbers, writeTexts } from './write-values.ts'

interface Written {
  readonly columns: ServiceColumns
  /** Null where more than keys and vectors is selected. */
  readonly numbers: Float64Array | null
}

interface ColumnField {
  /** Written of keys and vectors. */
  readonly isOfVectors: boolean
  readonly write: (written: Written, out: JsonBytes) => void
}

/** A service by column; one that takes from functions is answered by its resolver. */
export function serviceColumnsWriter({
  service,
  plan,
  reads,
  makeVectors,
  makeColumns,
}: ServiceParts): CompileRoot {
  return ({ field, fieldsOf, argumentsOf }) => {
    if (plan.computations.length > 0) return null
    const fields: (ColumnField & { readonly key: string })[] = []
    for (const answered of fieldsOf(field.selections)) {
      const made = columnField(service, answered, fieldsOf)
      if (made === null) return null
      fields.push({ ...made, key: keyText(answered.name, fields.length) })
    }
    const areVectors = fields.every(({ isOfVectors }) => isOfVectors)
    return {
      rowBytes: valueBytes * (areVectors ? service.vector.length + 1 : 2 * fields.length + 1),
      ask(variables, now) {
        const asked = askService(reads, argumentsOf(variables), now)
        return {
          needs: asked.needs,
          write(loaded, out, tallies) {
            const placed = reads.place(loaded)
            const vectors = areVectors ? vectorsOf(makeVectors, asked, placed, tallies) : null
            const answered = areVectors ? vectors : inputsOf(asked, placed, tallies)
            if (answered === null) return false
            const written = { columns: makeColumns(answered), numbers: vectors?.numbers ?? null }
            out.raw('{')
            for (const { key, write } of fields) {
              out.raw(key)
              write(written, out)
              if (out.isFull()) return false
            }
            out.raw('}')
            return true
          },
        }
      },
    }
  }
}

function columnField(
  service: FeatureService,
  { node, selections }: AnsweredField,
  fieldsOf: AnsweredFields,
): ColumnField | null {
  const asked = node.name.value
  const { joinKeys, vector, typeName } = service
  if (joinKeys.some(({ graphqlName }) => graphqlName === asked))
    return ofVectors(({ columns }, out) =>
      out.list(propertyOf<EntityKey>(columns, asked), (key) => writeKeyValue(key, out)),
    )
  const entry = vector.find(({ graphqlName }) => graphqlName === asked)
  if (entry)
    return ofColumns((columns, out) =>
      out.list(propertyOf<readonly (Value | null)[]>(columns, asked), (value) =>
        out.value(entry.type, value),
      ),
    )
  switch (asked) {
    case '__typename':
      return ofVectors((_, out) => out.text(`${typeName}Columns`))
    case 'names':
      return ofVectors(({ columns }, out) => writeTexts(columns.names, out))
    case 'vectorsBase64':
      return ofVectors(({ columns }, out) => out.raw(`"${columns.vectorsBase64}"`))
    case 'vectors':
      return ofVectors(({ columns, numbers }, out) => {
        if (numbers === null) out.list(columns.vectors, (one) => out.list(one, (value) => out.number(value)))
        else writeVectors(numbers, vector.length, out)
      })
    case 'statuses':
      return statusesField(service, fieldsOf(selections))
    default:
      return null
  }
}

function ofVectors(write: ColumnField['write']): ColumnField {
  return { isOfVectors: true, write }
}

function ofColumns(write: (columns: ServiceColumns, out: JsonBytes) => void): ColumnField {
  return { isOfVectors: false, write: ({ columns }, out) => write(columns, out) }
}

function writeVectors(numbers: Float64Array, width: number, out: JsonBytes): void {
  out.raw('[')
  for (let from = 0; from < numbers.length; from += width) {
    if (from > 0) out.raw(',')
    writeNumbers(numbers, from, width, out)
  }
  out.raw(']')
}

function statusesField({ typeName }: FeatureService, fields: readonly AnsweredField[]): ColumnField {
  return ofColumns((columns, out) => {
    const statuses = propertyOf<object>(columns, 'statuses')
    out.raw('{')
    fields.forEach(({ name, node }, index) => {
      out.raw(keyText(name, index))
      const asked = node.name.value
      if (asked === '__typename') out.text(`${typeName}Statuses`)
      else writeTexts(propertyOf<readonly string[]>(statuses, asked), out)
    })
    out.raw('}')
  })
}
