import type { Socket } from 'node:net'
import { readJsonLine } from '../ingest/accept/read-json-line.ts'
import { type EventOutcome, type OfferedEvent, refuseMappedEvents } from '../ingest/push/push-events.ts'
import type { Audit } from './audit.ts'
import type { HoldWorld } from './http-world.ts'
import { type Line, lineTooLong, ndjsonBatches } from './ndjson-batches.ts'
import { type NdjsonRouteOptions, ndjsonRoute, outcomeLines } from './ndjson-route.ts'

export interface EventsRouteOptions {
  readonly hold: HoldWorld
  readonly admission: NdjsonRouteOptions['admission']
  /** Sockets in here are not bound to send a whole request within the server's request timeout. */
  readonly streaming: WeakSet<Socket>
  readonly audit: Audit
}

/** `POST /events/<source>`: as `POST /push/<view>`, for events in the shape of the source's messages. */
export function eventsRoute({ hold, admission, streaming, audit }: EventsRouteOptions) {
  return ndjsonRoute({
    url: '/events/:name',
    ...{ hold, admission, streaming, audit },
    action: 'PUSH_EVENTS',
    notFound: 'there is no event source of this name; names are as in the definitions',
    answer({ registry, pushEvents }, { name, body, batches }) {
      const source = registry.eventSources.find((candidate) => candidate.name === name)
      if (!source) return null
      refuseMappedEvents(source)
      const perform = (events: readonly OfferedEvent[]) => pushEvents(source, events)
      return outcomeLines(ndjsonBatches(body, readLine), outcomeLine, perform, batches)
    },
  })
}

function readLine(line: Line): OfferedEvent {
  if (line === 'too long') return { unreadable: lineTooLong }
  return readJsonLine(line)
}

function outcomeLine(row: number, outcome: EventOutcome): object {
  const { violations } = outcome
  const broken = violations === undefined ? {} : { violations }
  if (!outcome.accepted)
    return { row, accepted: false, code: outcome.code, message: outcome.message, ...broken }
  return { row, accepted: true, ...(outcome.repeated ? { repeated: true } : broken) }
}
