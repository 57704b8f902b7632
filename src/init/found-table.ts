import type { ValueType } from '../definitions/value-type.ts'

/** A column of a table or a file, as definitions could use it. */
export interface FoundColumn {
  readonly name: string
  /** Null: no type reads it. */
  readonly type: ValueType | null
  /** What it is where it stands, for people. */
  readonly storedType: string
  readonly description: string | null
  /** Times without an offset. */
  readonly isLocalTime: boolean
  /** Whether several of its rows have one value, as far as they were read; null: they were not. */
  readonly repeats: boolean | null
}

/** Where definitions would read the rows from. */
type Origin =
  | { readonly kind: 'TABLE'; readonly table: string }
  | { readonly kind: 'FILES'; readonly files: string }

export interface FoundTable {
  /** Without its schema or ending. */
  readonly name: string
  readonly origin: Origin
  readonly description: string | null
  readonly columns: readonly FoundColumn[]
  /** Columns whose values together are there once; the primary key first. Of files: as far as they were read. */
  readonly uniqueKeys: readonly (readonly string[])[]
}

/** What no definition was written for. */
export interface LeftOut {
  readonly what: string
  readonly reason: string
}
