import type { FoundTable } from './found-table.ts'

/** Code in a draft that stands for a value, as `sum('amount', '30d')` or the name of another definition. */
export class Code {
  readonly text: string
  readonly value: unknown
  constructor(text: string, value: unknown) {
    this.text = text
    this.value = value
  }
}

type Writer = 'entity' | 'eventSource' | 'featureView' | 'windowedView' | 'featureService'

/** A definition before it is printed: the arguments of the function that writes it, with code among them. */
interface Draft {
  readonly writer: Writer
  readonly name: string
  readonly constant: string
  readonly options: Readonly<Record<string, unknown>> | readonly unknown[]
  /** Stand above it. */
  readonly comments: readonly string[]
}

/** The arguments as the function takes them. */
export function plainValue(part: unknown): unknown {
  if (part instanceof Code) return part.value
  if (Array.isArray(part)) return part.map(plainValue)
  if (typeof part !== 'object' || part === null) return part
  return Object.fromEntries(Object.entries(part).map(([name, value]) => [name, plainValue(value)]))
}

/** A call with options of its own, which are printed with it. */
export class NamedCall extends Code {
  readonly writer: string
  readonly name: string
  readonly options: unknown
  constructor(writer: string, name: string, options: unknown, value: unknown) {
    super(writer, value)
    this.writer = writer
    this.name = name
    this.options = options
  }
}

/** A draft with the definition that its code makes. */
export interface Drafted extends Draft {
  readonly definition: object
  /** Where its rows or events come from; null: from other definitions. */
  readonly table: FoundTable | null
}
