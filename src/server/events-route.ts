import type { Socket } from 'node:net'
import type { Readable } from 'node:stream'
import type { FastifyInstance } from 'fastify'
import { notJson, readJsonLine } from '../ingest/accept/read-json-line.ts'
import {
  type EventOutcome,
  type OfferedEvent,
  type PushEvents,
  refuseMappedEvents,
} from '../ingest/push/push-events.ts'
import type { EventSource, Registry } from '../registry/registry.ts'
import { type Line, lineTooLong, ndjsonBatches } from './ndjson-batches.ts'
import { ndjsonRoute } from './ndjson-route.ts'

export interface EventsRouteOptions {
  readonly registry: Registry
  readonly pushEvents: PushEvents
  /** Sockets in here are not bound to send a whole request within the server's request timeout. */
  readonly streaming: WeakSet<Socket>
}

/** `POST /events/<source>`: as `POST /push/<view>`, for events in the shape of the source's messages. */
export function eventsRoute({
  registry,
  pushEvents,
  streaming,
}: EventsRouteOptions): (app: FastifyInstance) => Promise<void> {
  return ndjsonRoute({
    url: '/events/:name',
    streaming,
    notFound: 'there is no event source of this name; names are as in the definitions',
    answer({ name, body }) {
      const source = registry.eventSources.find((candidate) => candidate.name === name)
      if (!source) return null
      refuseMappedEvents(source)
      return answerLines(pushEvents, source, body)
    },
  })
}

/** A line per event and a last one with the counts. Of a body that breaks off, the batches before it are stored. */
async function* answerLines(
  pushEvents: PushEvents,
  source: EventSource,
  body: Readable,
): AsyncGenerator<string> {
  let row = 0
  let accepted = 0
  for await (const events of ndjsonBatches(body, readLine)) {
    let lines = ''
    for (const outcome of await pushEvents(source, events)) {
      if (outcome.accepted) accepted += 1
      lines += `${JSON.stringify(told(row, outcome))}\n`
      row += 1
    }
    yield lines
  }
  yield `${JSON.stringify({ accepted, rejected: row - accepted })}\n`
}

function readLine(line: Line): OfferedEvent {
  if (line === 'too long') return { unreadable: lineTooLong }
  return readJsonLine(line) ?? { unreadable: notJson }
}

function told(row: number, outcome: EventOutcome): object {
  if (!outcome.accepted) return { row, accepted: false, code: outcome.code, message: outcome.message }
  return outcome.repeated ? { row, accepted: true, repeated: true } : { row, accepted: true }
}
