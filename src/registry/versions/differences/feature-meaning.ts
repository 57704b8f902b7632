import { formatDuration } from '../../../definitions/duration.ts'
import { type FeatureDigests, featureDigests } from '../../../definitions/feature-digest.ts'
import type { WindowedAggregation } from '../../../definitions/windowed-aggregation.ts'
import { chooseHop } from '../../../windows/hop.ts'
import type { FeatureView } from '../../registry.ts'
import type { Broken } from '../changes.ts'
import { type Difference, differs, differsInOrder, differsInWords } from './difference.ts'

/** Digests of what the features mean; of a streaming view as if it were computed at all times. */
export function meaningOf(view: FeatureView): FeatureDigests {
  return view.kind === 'STREAM' ? featureDigests({ ...view, kind: 'BATCH', everyMicros: 0 }) : view.digests
}

/** How a windowed feature is computed, part by part. */
export function aggregationDifferences(
  name: string,
  before: WindowedAggregation,
  after: WindowedAggregation,
  breaks: readonly Broken[],
): readonly Difference[] {
  const field = ({ field: one }: WindowedAggregation): string | null => one?.name ?? null
  const fieldType = ({ field: one }: WindowedAggregation): string | null => one?.type ?? null
  // A hop that follows from the window needs no line beside the window's.
  const follows = ({ windowMicros, hopMicros }: WindowedAggregation): boolean =>
    chooseHop(windowMicros) === hopMicros
  const isWindow = before.windowMicros !== after.windowMicros && follows(before) && follows(after)
  return [
    ...differs(`aggregation of ${name}`, before.aggregate, after.aggregate, breaks),
    ...differs(`field of ${name}`, field(before), field(after), breaks),
    ...(field(before) === field(after)
      ? differs(`type of the field of ${name}`, fieldType(before), fieldType(after), breaks)
      : []),
    ...differsInWords(
      `window of ${name}`,
      formatDuration(before.windowMicros),
      formatDuration(after.windowMicros),
      breaks,
    ),
    ...(isWindow
      ? []
      : differsInWords(
          `hop of ${name}`,
          formatDuration(before.hopMicros),
          formatDuration(after.hopMicros),
          breaks,
        )),
    ...whereDifferences(name, before, after, breaks),
  ]
}

/** All conditions must hold: another order of them means the same. */
function whereDifferences(
  name: string,
  before: WindowedAggregation,
  after: WindowedAggregation,
  breaks: readonly Broken[],
): readonly Difference[] {
  const found = differsInWords(`where of ${name}`, conditions(before), conditions(after), breaks)
  if (found.length > 0) return found
  const fields = ({ where }: WindowedAggregation): string[] => where.map((one) => one.field.name)
  return differsInOrder(`where of ${name}`, fields(before), fields(after))
}

/** `sum of amount over 30d where success = false` */
export function shownAggregation(aggregation: WindowedAggregation): string {
  const { aggregate, field, windowMicros } = aggregation
  const where = conditions(aggregation)
  return [
    aggregate,
    field === null ? '' : ` of ${field.name}`,
    ` over ${formatDuration(windowMicros)}`,
    where === null ? '' : ` where ${where}`,
  ].join('')
}

function conditions({ where }: WindowedAggregation): string | null {
  if (where.length === 0) return null
  return where
    .map((one) => `${one.field.name} = ${literal(one.value)}`)
    .sort()
    .join(' and ')
}

function literal(value: unknown): string {
  const text =
    value instanceof Uint8Array ? Buffer.from(value).toString('base64') : (JSON.stringify(value) ?? 'null')
  return text.length > 40 ? `${text.slice(0, 40)}…` : text
}
