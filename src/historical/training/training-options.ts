import type { EpochUnit } from '../../definitions/source-reading.ts'
import type { FileFormat } from '../../stores/file-reader.ts'
import type { TrainingFormat } from '../../stores/training-file.ts'
import type { KnownAt } from './known-at.ts'
import type { FeatureSelection } from './selected-features.ts'

/** All that decides what a training set is, besides its spine, the definitions and what is stored: a card holds it. */
export interface TrainingOptions {
  readonly selection: FeatureSelection
  readonly fullNames: boolean
  readonly knownAt: KnownAt
  readonly spineFormat: FileFormat
  /** Column of the spine → join key or request value. */
  readonly map: ReadonlyMap<string, string>
  /** The column of the rows' times; null: see `SpineOptions`. */
  readonly time: string | null
  readonly timezone: string | null
  readonly timeUnit: EpochUnit | null
  readonly vector: boolean
  readonly statuses: boolean
  readonly format: TrainingFormat
}
