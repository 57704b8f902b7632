import { z } from 'zod'
import { trainingFormats } from '../../training-file.ts'
import { type TrainingSet, trainingSetStates } from '../../training-set-store.ts'
import { microsOf } from '../sql/column-type.ts'
import { spineRow } from './spine-store.ts'

const partRow = z.object({
  part: z.number(),
  file: z.string(),
  rows: z.number(),
  bytes: z.number(),
  sha256: z.string(),
})

const request = z.object({
  service: z.string().nullable(),
  features: z.array(z.string()).nullable(),
  format: z.enum(trainingFormats),
  knownAt: z.string().nullable(),
  map: z.array(z.tuple([z.string(), z.string()])),
  time: z.string().nullable(),
  timeUnit: z.enum(['s', 'ms', 'us', 'ns']).nullable(),
  timezone: z.string().nullable(),
  vector: z.boolean(),
  statuses: z.boolean(),
  fullNames: z.boolean(),
})

const setRow = z.object({
  id: z.string(),
  owner: z.string(),
  spine: spineRow,
  request,
  registry: z.object({ version: z.number(), digest: z.string() }),
  state: z.enum(trainingSetStates),
  progress: z.number(),
  createdAt: z.coerce.number(),
  finishedAt: z.coerce.number().nullable(),
  error: z.string().nullable(),
  errorCode: z.string().nullable(),
  card: z.object({ bytes: z.number(), sha256: z.string() }).nullable(),
  parts: z.array(partRow),
})

/** Of `featuregraph.training_sets as s`. */
export const setColumns = `s.id, s.owner, s.spine, s.request, s.state, s.progress,
  json_build_object('version', s.registry_version, 'digest', s.definitions) as registry,
  ${microsOf('s.created_at')} as "createdAt", ${microsOf('s.finished_at')} as "finishedAt",
  s.error, s.error_code as "errorCode",
  case when s.card_bytes is not null then json_build_object('bytes', s.card_bytes, 'sha256', s.card_sha256) end as card,
  (select coalesce(json_agg(json_build_object('part', p.part, 'file', p.file, 'rows', p.row_count, 'bytes', p.bytes,
     'sha256', p.sha256) order by p.part), '[]'::json)
   from featuregraph.training_set_parts as p where p.project = s.project and p.set_id = s.id) as parts`

export function readSet(row: unknown): TrainingSet {
  return setRow.parse(row)
}
