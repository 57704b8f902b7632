import { timezone as zone } from '../../definitions/data-source.ts'
import type { EpochUnit } from '../../definitions/source-reading.ts'
import { BadUserInput } from '../../errors.ts'
import { type TrainingFormat, trainingFormats } from '../../stores/training-file.ts'
import type { TrainingSetRequest } from '../../stores/training-set-store.ts'
import { parseKnownAt } from '../training/known-at.ts'

/** What a caller asks for; null counts as left out. */
export interface OfferedRequest {
  readonly service?: string | null
  readonly features?: readonly string[] | null
  /** In upper case. */
  readonly format?: string | null
  readonly knownAt?: string | null
  readonly columns?: readonly { readonly column: string; readonly is: string }[] | null
  readonly vector?: boolean | null
  readonly statuses?: boolean | null
  readonly fullNames?: boolean | null
  readonly timeUnit?: string | null
  readonly timezone?: string | null
}

const epochUnits: readonly EpochUnit[] = ['s', 'ms', 'us', 'ns']
/** A column that is mapped to it is the one of the rows' times. */
const timeName = 'event_timestamp'

/** @throws BadUserInput for what can be refused without the registry and the spine. */
export function acceptRequest(offered: OfferedRequest): TrainingSetRequest {
  const {
    service = null,
    features = null,
    knownAt = null,
    columns,
    timeUnit = null,
    timezone = null,
  } = offered
  if ((service === null) === (features === null))
    throw new BadUserInput(
      'a training set is of a service or of features: [view:feature, …]; give one of them',
    )
  if (knownAt !== null) parseKnownAt(knownAt)
  if (timezone !== null && !zone.safeParse(timezone).success)
    throw new BadUserInput(
      `timezone expects a name of the IANA database, as Europe/Berlin; got ${JSON.stringify(timezone)}`,
    )
  const mapped = columns ?? []
  const names = mapped.map(({ column }) => column)
  const twice = names.find((name, index) => names.indexOf(name) !== index)
  if (twice !== undefined)
    throw new BadUserInput(`columns: ${JSON.stringify(twice)} is mapped twice; a column is one thing`)
  return {
    ...{ service, features, knownAt, timezone },
    format: formatNamed(offered.format ?? 'PARQUET'),
    map: mapped.filter(({ is }) => is !== timeName).map(({ column, is }) => [column, is] as const),
    time: mapped.find(({ is }) => is === timeName)?.column ?? null,
    timeUnit: timeUnit === null ? null : unitNamed(timeUnit),
    vector: offered.vector ?? false,
    statuses: offered.statuses ?? false,
    fullNames: offered.fullNames ?? false,
  }
}

function unitNamed(text: string): EpochUnit {
  const found = epochUnits.find((unit) => unit === text)
  if (found) return found
  throw new BadUserInput(`timeUnit expects one of ${epochUnits.join(', ')}; got ${JSON.stringify(text)}`)
}

function formatNamed(text: string): TrainingFormat {
  const found = trainingFormats.find((format) => format.toUpperCase() === text)
  if (found) return found
  throw new BadUserInput(`format expects one of ${trainingFormats.join(', ')}; got ${JSON.stringify(text)}`)
}
