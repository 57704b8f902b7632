import type { FeatureStatus } from '../definitions/row-status.ts'
import type { EntityKey, Value } from '../definitions/value.ts'
import type { FeatureService } from '../registry/registry.ts'
import {
  define,
  type PlannedEntry,
  type ServiceInputs,
  type ServicePlan,
  servedValue,
  vectorNumber,
} from './service-row.ts'

/** What a service answers for many keys, by column; properties are GraphQL names, each made when it is read, once. */
export interface ServiceColumns {
  readonly names: readonly string[]
  readonly vectors: readonly (readonly number[])[]
  readonly vectorsBase64: string
}

/** The keys and vectors alone, row by row in one array. */
export interface ServiceVectors {
  readonly keys: readonly EntityKey[]
  readonly numbers: Float64Array
}

interface ServedColumn {
  readonly values: readonly (Value | null)[]
  readonly statuses: readonly FeatureStatus[]
}

export type MakeColumns = (answered: readonly ServiceInputs[] | ServiceVectors) => ServiceColumns

/** One class per service, as for its rows: of whole inputs, or of nothing but vectors. */
export function compileServiceColumns(service: FeatureService, { entries }: ServicePlan): MakeColumns {
  const names = service.vector.map((entry) => entry.name)
  const width = names.length

  class Columns implements ServiceColumns {
    private readonly $inputs: readonly ServiceInputs[]
    private readonly $keys: readonly EntityKey[]
    private $numbers: Float64Array | null
    private $vectors: readonly (readonly number[])[] | null = null
    private readonly $columns: (ServedColumn | undefined)[] = []

    constructor(answered: readonly ServiceInputs[] | ServiceVectors) {
      const isVectors = 'numbers' in answered
      this.$inputs = isVectors ? [] : answered
      this.$keys = isVectors ? answered.keys : answered.map(({ key }) => key)
      this.$numbers = isVectors ? answered.numbers : null
    }
    get names(): readonly string[] {
      return names
    }
    get vectors(): readonly (readonly number[])[] {
      this.$vectors ??= this.$keys.map((_, row) =>
        Array.from(this.$readNumbers().subarray(row * width, (row + 1) * width)),
      )
      return this.$vectors
    }
    get vectorsBase64(): string {
      const numbers = this.$readNumbers()
      const bytes = Buffer.allocUnsafe(numbers.length * 8)
      for (let index = 0; index < numbers.length; index += 1)
        bytes.writeDoubleLE(numbers[index] ?? 0, index * 8)
      return bytes.toString('base64')
    }
    $keyColumn(place: number): readonly (EntityKey[number] | undefined)[] {
      return this.$keys.map((key) => key[place])
    }
    $column(planned: PlannedEntry, place: number): ServedColumn {
      const known = this.$columns[place]
      if (known) return known
      const values: (Value | null)[] = []
      const statuses: FeatureStatus[] = []
      for (const inputs of this.$inputs) {
        const { value, status } = servedValue(planned, inputs)
        values.push(value)
        statuses.push(status)
      }
      const made = { values, statuses }
      this.$columns[place] = made
      return made
    }
    private $readNumbers(): Float64Array {
      if (this.$numbers) return this.$numbers
      const numbers = new Float64Array(this.$keys.length * width)
      entries.forEach((planned, place) => {
        this.$column(planned, place).values.forEach((value, row) => {
          numbers[row * width + place] = vectorNumber(planned.entry, value)
        })
      })
      this.$numbers = numbers
      return numbers
    }
  }

  class Statuses {
    readonly $of: Columns
    constructor(of: Columns) {
      this.$of = of
    }
  }

  service.joinKeys.forEach((key, place) => {
    define(Columns.prototype, key.graphqlName, function (this: Columns) {
      return this.$keyColumn(place)
    })
  })
  entries.forEach((planned, place) => {
    const name = planned.entry.graphqlName
    define(Columns.prototype, name, function (this: Columns) {
      return this.$column(planned, place).values
    })
    define(Statuses.prototype, name, function (this: Statuses) {
      return this.$of.$column(planned, place).statuses
    })
  })
  define(Columns.prototype, 'statuses', function (this: Columns) {
    return new Statuses(this)
  })
  return (answered) => new Columns(answered)
}
