import path from 'node:path'
import { timezone as zone } from '../definitions/data-source.ts'
import type { EpochUnit } from '../definitions/source-reading.ts'
import { BadUserInput } from '../errors.ts'
import { splitAsked } from '../historical/training/asked-features.ts'
import { parseKnownAt } from '../historical/training/known-at.ts'
import type { FeatureSelection } from '../historical/training/selected-features.ts'
import type { TrainingOptions } from '../historical/training/training-options.ts'
import { formatOf } from '../ingest/files/file-format.ts'
import { fileFormats } from '../stores/file-reader.ts'
import { type TrainingFormat, trainingFormats } from '../stores/training-file.ts'

/** What is given beside the two files; with a card it holds all of it. */
export interface TrainingArguments {
  readonly service?: string
  readonly features?: string
  readonly spine: string
  readonly spineFormat?: string
  readonly out: string
  readonly format?: string
  readonly knownAt?: string
  readonly map?: readonly string[]
  readonly time?: string
  readonly timeUnit?: string
  readonly assumeUtc?: boolean
  readonly timezone?: string
  readonly vector?: boolean
  readonly statuses?: boolean
  readonly fullNames?: boolean
}

/** @throws BadUserInput */
export function trainingOptions(options: TrainingArguments): TrainingOptions {
  const selection = selectionOf(options)
  const knownAt = options.knownAt === undefined ? ({ kind: 'ALL' } as const) : parseKnownAt(options.knownAt)
  const format = outputFormat(options)
  const spineFormat =
    options.spineFormat === undefined
      ? formatOf(options.spine)
      : oneOf('--spine-format', fileFormats, options.spineFormat)
  if (options.assumeUtc && options.timezone !== undefined)
    throw new BadUserInput('--assume-utc and --timezone say two things of times without an offset; give one')
  const timezone = options.assumeUtc ? 'UTC' : (options.timezone ?? null)
  if (timezone !== null && !zone.safeParse(timezone).success)
    throw new BadUserInput(
      `--timezone expects a name of the IANA database, as Europe/Berlin; got ${JSON.stringify(timezone)}`,
    )
  const timeUnit = options.timeUnit === undefined ? null : oneOf('--time-unit', epochUnits, options.timeUnit)
  return {
    ...{ selection, knownAt, format, spineFormat, timezone, timeUnit },
    ...{ map: new Map((options.map ?? []).map(mapped)), time: options.time ?? null },
    ...{ vector: options.vector ?? false, statuses: options.statuses ?? false },
    fullNames: options.fullNames ?? false,
  }
}

/** With a card nothing else may be given: it would make another file. @throws BadUserInput */
export function refuseBesideCard({ spine, out, ...others }: TrainingArguments): void {
  const given = Object.keys(others).map(
    (name) => `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`,
  )
  if (given.length > 0)
    throw new BadUserInput(
      `with --from-card everything but --spine and --out stands in the card; leave out ${given.join(', ')}`,
    )
}

const epochUnits: readonly EpochUnit[] = ['s', 'ms', 'us', 'ns']

function selectionOf({ service, features }: TrainingArguments): FeatureSelection {
  if (service !== undefined && features === undefined) return { service }
  if (features !== undefined && service === undefined) return { features: splitAsked(features) }
  throw new BadUserInput(
    'a training set is of --service <name> or of --features view:feature,…; give one of them',
  )
}

function outputFormat({ out, format }: TrainingArguments): TrainingFormat {
  if (format !== undefined) return oneOf('--format', trainingFormats, format)
  const extension = path.extname(out).slice(1).replace('jsonl', 'ndjson')
  const known = trainingFormats.find((one) => one === extension)
  if (known) return known
  throw new BadUserInput(
    `${out}: its name says no format; expected .${trainingFormats.join(', .')}, or --format ${trainingFormats.join('|')}`,
  )
}

function oneOf<Value extends string>(option: string, values: readonly Value[], text: string): Value {
  const found = values.find((value) => value === text)
  if (found) return found
  throw new BadUserInput(`${option} expects one of ${values.join(', ')}; got ${JSON.stringify(text)}`)
}

function mapped(text: string): [column: string, name: string] {
  const [, column, name] = /^(.+)=([^=]+)$/.exec(text) ?? []
  if (column === undefined || name === undefined)
    throw new BadUserInput(
      `--map expects <column>=<join key>, as --map user=customer_id; got ${JSON.stringify(text)}`,
    )
  return [column, name]
}
