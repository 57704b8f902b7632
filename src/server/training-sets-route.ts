import { type FileHandle, open } from 'node:fs/promises'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { ifMissing } from '../errors.ts'
import { requireRight } from '../graph/require-right.ts'
import { cardFile, type FilesFolder } from '../historical/jobs/files-folder.ts'
import { partName } from '../historical/jobs/part-name.ts'
import type { ReceiveSpine } from '../historical/jobs/receive-spine.ts'
import type { TrainingSet } from '../stores/training-set-store.ts'
import { requireCaller } from './authenticate.ts'
import { byteRange } from './byte-range.ts'
import { refuse } from './http-error.ts'
import type { HoldWorld } from './http-world.ts'

/** The folder of spines and training sets, as HTTP reaches it. */
export interface TrainingFilesAccess {
  readonly receive: ReceiveSpine
  readonly folder: FilesFolder
}

export interface TrainingSetsRouteOptions {
  readonly hold: HoldWorld
  readonly trainingFiles: TrainingFilesAccess | null
}

interface SentFile {
  /** In the set's folder. */
  readonly file: string
  readonly type: string
  readonly bytes: number
  readonly sha256: string
}

const types: Readonly<Record<string, string>> = {
  parquet: 'application/vnd.apache.parquet',
  csv: 'text/csv; charset=utf-8',
  ndjson: 'application/x-ndjson',
  arrow: 'application/vnd.apache.arrow.file',
}

/**
 * `GET /training-sets/<id>/<part>` and `…/card.json`, whole or a range of bytes, with the SHA-256 as ETag. Names are found in
 * the set's record, so that no address reaches another file.
 */
export function trainingSetsRoute({ hold, trainingFiles }: TrainingSetsRouteOptions) {
  return async (app: FastifyInstance): Promise<void> => {
    app.route<{ Params: { readonly id: string; readonly name: string } }>({
      method: ['GET', 'HEAD'],
      url: '/training-sets/:id/:name',
      async handler(request, reply) {
        const { name: owner, rights } = requireCaller(request)
        if (!rights.has('admin')) requireRight({ rights }, 'train')
        const { id, name } = request.params
        const { world, release } = hold()
        const set = await world.trainingSets
          .find({ name: owner, isAdmin: rights.has('admin') }, id)
          .finally(release)
        const sent = set && sentFile(set, name)
        const handle =
          set && sent && trainingFiles
            ? await open(trainingFiles.folder.inSet(set.id, sent.file)).catch(ifMissing(null))
            : null
        if (sent === null || handle === null) {
          const message =
            'there is no such part of a training set here; parts are listed by `trainingSet(id:)`'
          return refuse(reply, { status: 404, code: 'NOT_FOUND', message })
        }
        return await send(request, reply, sent, handle)
      },
    })
  }
}

/** Null: the set has no such file. */
function sentFile({ request, parts, card, state }: TrainingSet, name: string): SentFile | null {
  if (name === cardFile)
    return card === null || state !== 'SUCCEEDED'
      ? null
      : { ...card, file: cardFile, type: 'application/json; charset=utf-8' }
  const found = parts.find(({ part }) => partName(part, request.format) === name)
  return found ? { ...found, type: types[request.format] ?? 'application/octet-stream' } : null
}

async function send(
  { method, headers }: FastifyRequest,
  reply: FastifyReply,
  { type, bytes, sha256 }: SentFile,
  handle: FileHandle,
): Promise<FastifyReply> {
  const etag = `"${sha256}"`
  reply.header('etag', etag).header('accept-ranges', 'bytes')
  const listed = headers['if-none-match']?.split(',').map((one) => one.trim().replace(/^W\//, ''))
  const ifRange = headers['if-range']
  const isSame = ifRange === undefined || ifRange === etag
  const asked = isSame && method === 'GET' ? byteRange(headers.range, bytes) : 'WHOLE'
  const isEmpty = listed?.some((one) => one === etag || one === '*') === true
  if (isEmpty || method === 'HEAD' || asked === 'UNSATISFIABLE') {
    await handle.close()
    if (isEmpty) return reply.code(304).send()
    if (method === 'HEAD') return reply.type(type).header('content-length', bytes).send()
    reply.header('content-range', `bytes */${bytes}`)
    const message = `expected a range within ${bytes} bytes`
    return refuse(reply, { status: 416, code: 'BAD_REQUEST', message })
  }
  const { from, to } = asked === 'WHOLE' ? { from: 0, to: bytes - 1 } : asked
  if (asked !== 'WHOLE') reply.code(206).header('content-range', `bytes ${from}-${to}/${bytes}`)
  reply.type(type).header('content-length', to - from + 1)
  return reply.send(handle.createReadStream({ start: from, end: to, highWaterMark: 262_144 }))
}
