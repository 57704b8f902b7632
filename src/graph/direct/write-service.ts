import type { EntityKey, Value } from '../../definitions/value.ts'
import type { JsonBytes } from '../../online/json/json-bytes.ts'
import { keyText } from '../../online/json/selected-row.ts'
import type { MakeColumns } from '../../online/service-columns.ts'
import type { ServiceInputs, ServicePlan, ServiceRow } from '../../online/service-row.ts'
import type { FeatureService } from '../../registry/registry.ts'
import type { ServiceReads } from '../read-service.ts'
import type { MakeVectors } from '../service-columns.ts'
import { type CompileRoot, valueBytes } from './root-writer.ts'
import type { AnsweredField, AnsweredFields } from './selected-fields.ts'
import { askService, inputsOf, vectorsOf } from './service-inputs.ts'
import { propertyOf, writeKeyValue, writeNumbers, writeTexts } from './write-values.ts'

export interface ServiceParts {
  readonly service: FeatureService
  readonly plan: ServicePlan
  readonly reads: ServiceReads
  readonly makeRow: (inputs: ServiceInputs) => ServiceRow
  readonly makeVectors: MakeVectors
  readonly makeColumns: MakeColumns
}

/** What the field of a row is written of. */
interface WrittenRow {
  readonly key: EntityKey
  /** Of all rows. */
  readonly numbers: Float64Array
  /** Where this one's vector begins. */
  readonly from: number
  /** Null where nothing but keys and vectors is selected. */
  readonly row: ServiceRow | null
}

interface RowField {
  /** Written of the key and the vector. */
  readonly isOfVector: boolean
  readonly write: (written: WrittenRow, out: JsonBytes) => void
}

/** Rows of a service; one that takes from functions is answered by its resolver. */
export function serviceWriter({ service, plan, reads, makeRow, makeVectors }: ServiceParts): CompileRoot {
  const width = service.vector.length
  return ({ field, fieldsOf, argumentsOf }) => {
    if (plan.computations.length > 0) return null
    const fields: (RowField & { readonly key: string })[] = []
    for (const answered of fieldsOf(field.selections)) {
      const made = rowField(service, answered, fieldsOf)
      if (made === null) return null
      fields.push({ ...made, key: keyText(answered.name, fields.length) })
    }
    const isOfVectors = fields.every(({ isOfVector }) => isOfVector)
    const keyBytes = fields.reduce((bytes, { key }) => bytes + key.length, 0)
    return {
      rowBytes: keyBytes + valueBytes * (fields.length + width),
      ask(variables, now) {
        const asked = askService(reads, argumentsOf(variables), now)
        const { keys } = asked
        return {
          needs: asked.needs,
          write(loaded, out, tallies) {
            const columns = reads.place(loaded)
            const vectors = isOfVectors ? vectorsOf(makeVectors, asked, columns, tallies) : noVectors
            const inputs = isOfVectors ? [] : inputsOf(asked, columns, tallies)
            if (vectors === null || inputs === null) return false
            const { numbers } = vectors
            out.raw('[')
            for (let index = 0; index < keys.length; index += 1) {
              const input = inputs[index]
              const row = input ? makeRow(input) : null
              const written = { key: keys[index] ?? [], numbers, from: index * width, row }
              out.raw(index > 0 ? ',{' : '{')
              for (const { key, write } of fields) {
                out.raw(key)
                write(written, out)
              }
              out.raw('}')
              if (out.isFull()) return false
            }
            out.raw(']')
            return true
          },
        }
      },
    }
  }
}

const noVectors = { keys: [], numbers: new Float64Array(0) }

function rowField(
  service: FeatureService,
  { node, selections }: AnsweredField,
  fieldsOf: AnsweredFields,
): RowField | null {
  const asked = node.name.value
  const { joinKeys, vector, typeName } = service
  const place = joinKeys.findIndex(({ graphqlName }) => graphqlName === asked)
  if (place >= 0) return ofVector(({ key }, out) => writeKeyValue(key[place], out))
  const entry = vector.find(({ graphqlName }) => graphqlName === asked)
  if (entry) return ofRow((row, out) => out.value(entry.type, propertyOf<Value | null>(row, asked)))
  switch (asked) {
    case '__typename':
      return ofVector((_, out) => out.text(typeName))
    case 'names': {
      const names = JSON.stringify(vector.map(({ name }) => name))
      return ofVector((_, out) => out.raw(names))
    }
    case 'vector':
      return {
        isOfVector: true,
        write({ numbers, from, row }, out) {
          if (row === null) writeNumbers(numbers, from, vector.length, out)
          else out.list(row.vector, (number) => out.number(number))
        },
      }
    case 'statuses':
      return ofRow((row, out) => writeTexts(row.statuses, out))
    case 'defaulted':
      return ofRow((row, out) => writeTexts(row.defaulted, out))
    case 'violations':
      return violationsField(fieldsOf(selections))
    default:
      return null
  }
}

function ofVector(write: RowField['write']): RowField {
  return { isOfVector: true, write }
}

function ofRow(write: (row: ServiceRow, out: JsonBytes) => void): RowField {
  return {
    isOfVector: false,
    write({ row }, out) {
      if (row === null) throw new TypeError('a row of the service was not made')
      write(row, out)
    },
  }
}

function violationsField(fields: readonly AnsweredField[]): RowField {
  return ofRow(({ violations }, out) =>
    out.list(violations, (violation) => {
      out.raw('{')
      fields.forEach(({ name, node }, index) => {
        out.raw(keyText(name, index))
        const asked = node.name.value
        const text = asked === '__typename' ? 'FeatureViolation' : propertyOf<string | null>(violation, asked)
        if (text === null) out.raw('null')
        else out.text(text)
      })
      out.raw('}')
    }),
  )
}
