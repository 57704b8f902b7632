import { z } from 'zod'
import { type Micros, parseTimestamp } from '../../definitions/timestamp.ts'
import { BadUserInput, CardUnreadable } from '../../errors.ts'
import { fileFormats } from '../../stores/file-reader.ts'
import { trainingFormats } from '../../stores/training-file.ts'
import { trainingEngines } from '../plan/choose-engine.ts'
import { parseKnownAt } from './known-at.ts'
import type { TrainingOptions } from './training-options.ts'

/** Moved when what is needed to make a training set again stands otherwise: with 2 came engines and files, a card without them is of 1. */
export const cardFormat = 2

const timestamp = z.string().transform((text, context): Micros => {
  const micros = parseTimestamp(text)
  if (micros !== null) return micros
  context.addIssue({ code: 'custom', message: `expected a timestamp with an offset, got "${text}"` })
  return z.NEVER
})

const knownAt = z
  .string()
  .nullable()
  .transform((text, context) => {
    if (text === null) return { kind: 'ALL' } as const
    try {
      return parseKnownAt(text)
    } catch (error) {
      if (!(error instanceof BadUserInput)) throw error
      context.addIssue({ code: 'custom', message: `expected a timestamp, row or row+<delay>, got "${text}"` })
      return z.NEVER
    }
  })

/** As `pg_snapshot` is written: two bounds and, between them, in order, the transactions that were under way. */
const snapshot = z.string().refine(isSnapshot, 'expected a snapshot of Postgres, as 731:740:731,735')

function isSnapshot(text: string): boolean {
  const [, from, to, list] =
    /^([1-9]\d{0,18}):([1-9]\d{0,18}):((?:\d{1,19}(?:,\d{1,19})*)?)$/.exec(text) ?? []
  if (from === undefined || to === undefined || list === undefined) return false
  const [xmin, xmax] = [BigInt(from), BigInt(to)]
  const under = list === '' ? [] : list.split(',').map(BigInt)
  return (
    xmin <= xmax &&
    under.every((xid, index) => xid >= xmin && xid < xmax && (index === 0 || xid > (under[index - 1] ?? 0n)))
  )
}

const sha256 = z.string().regex(/^[0-9a-f]{64}$/, 'expected the 64 hex digits of a sha-256')

/** Where rows of a view, or events of a source, were read from. */
const readFiles = z.object({
  ...{ of: z.string(), path: z.string(), version: z.int().min(0).optional() },
  files: z.array(z.object({ path: z.string(), bytes: z.number(), checksum: z.string() })),
})

const output = z.object({ file: z.string(), sha256 })

const card = z
  .object({
    ...{ card: z.union([z.literal(1), z.literal(cardFormat)]), program: z.string(), project: z.string() },
    ...{ service: z.string().nullable(), selected: z.array(z.string()).min(1).nullable() },
    ...{ registryVersion: z.number(), usedDefinitions: sha256, knownAt, takenAt: timestamp },
    database: z.object({ systemIdentifier: z.string(), id: z.string(), snapshot }),
    storedSince: z.record(z.string(), timestamp),
    notReproducible: z.array(z.string()),
    options: z.object({
      spineFormat: z.enum(fileFormats),
      map: z.record(z.string(), z.string()),
      time: z.string().nullable(),
      timezone: z.string().nullable(),
      timeUnit: z.enum(['s', 'ms', 'us', 'ns']).nullable(),
      ...{ fullNames: z.boolean(), vector: z.boolean(), statuses: z.boolean() },
      format: z.enum(trainingFormats),
    }),
    spine: z.object({ file: z.string().optional(), sql: z.string().optional(), sha256 }),
    engine: z.enum(trainingEngines).default('postgres'),
    files: z.array(readFiles).default([]),
    output: output.optional(),
    parts: z.array(output).optional(),
  })
  .refine(({ output: one, parts }) => (one === undefined) !== (parts === undefined), {
    path: ['output'],
    message: 'expected the file that was made, or its parts under "parts"',
  })
  .refine(({ service, selected }) => (service === null) !== (selected === null), {
    path: ['service'],
    message: 'expected either a service, or features under "selected"',
  })

/** What a card holds of how its training set was made. */
export type TrainingCard = Omit<
  z.infer<typeof card>,
  'options' | 'service' | 'selected' | 'knownAt' | 'output' | 'parts'
> & {
  readonly options: TrainingOptions
  /** Of the file, where there is one; null of several parts. */
  readonly outputSha256: string | null
}

/** @throws CardUnreadable for what is no card, one of a newer program, or one that was changed by hand; every problem at once. */
export function readCard(file: string, text: string): TrainingCard {
  const json = parsed(file, text)
  const { card: format } = z.object({ card: z.unknown().optional() }).catch({}).parse(json)
  if (typeof format === 'number' && format > cardFormat)
    throw new CardUnreadable(`${file} cannot be used`, [
      {
        path: 'card',
        message: `the format is ${format}, this program knows those up to ${cardFormat}; use the version that wrote it, see "program"`,
      },
    ])
  if (format === undefined)
    throw new CardUnreadable(`${file} cannot be used`, [
      {
        path: 'card',
        message:
          'expected a card of a training set, which says its format here; cards of earlier versions cannot be made again',
      },
    ])
  const result = card.safeParse(json)
  if (!result.success)
    throw new CardUnreadable(
      `${file} was changed or is no card`,
      result.error.issues.map(({ path, message }) => ({ path: path.join('.'), message })),
    )
  const { options, service, selected, knownAt: known, output: one, parts = [], ...rest } = result.data
  const selection = service === null ? { features: selected ?? [] } : { service }
  return {
    ...rest,
    options: { ...options, selection, knownAt: known, map: new Map(Object.entries(options.map)) },
    outputSha256: one?.sha256 ?? (parts.length === 1 ? (parts[0]?.sha256 ?? null) : null),
  }
}

function parsed(file: string, text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw new CardUnreadable(`${file} cannot be used`, [
      { path: 'card', message: 'expected JSON, as stands beside a training set in <file>.card.json' },
    ])
  }
}
