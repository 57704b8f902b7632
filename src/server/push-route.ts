import type { Socket } from 'node:net'
import { BadUserInput, InvalidRow } from '../errors.ts'
import { acceptIdempotencyKey } from '../ingest/push/idempotency-key.ts'
import type { PushOutcome, PushTarget } from '../ingest/push/push-outcome.ts'
import { type PushedRow, refuseMapped } from '../ingest/push/push-rows.ts'
import { readPushedLine } from '../ingest/push/read-pushed-line.ts'
import type { Audit } from './audit.ts'
import type { HoldWorld } from './http-world.ts'
import { type Line, lineTooLong, ndjsonBatches } from './ndjson-batches.ts'
import { type NdjsonRouteOptions, ndjsonRoute, outcomeLines } from './ndjson-route.ts'

export interface PushRouteOptions {
  readonly hold: HoldWorld
  readonly admission: NdjsonRouteOptions['admission']
  /** Sockets in here are not bound to send a whole request within the server's request timeout. */
  readonly streaming: WeakSet<Socket>
  readonly audit: Audit
}

/**
 * `POST /push/<view>`: NDJSON in, NDJSON out, a batch in memory at a time. The caller is known already. With an
 * idempotency key every batch is a push of its own, under `<key>/<number of the batch>`: a retry after a break repeats
 * what was done and goes on. A body that breaks off ends the answer with its error, and the batch that was coming in is
 * not written: the retry has it whole.
 */
export function pushRoute({ hold, admission, streaming, audit }: PushRouteOptions) {
  return ndjsonRoute({
    url: '/push/:name',
    ...{ hold, admission, streaming, audit },
    action: 'PUSH_ROWS',
    notFound: 'there is no feature view of this name; names are as in the definitions',
    answer({ registry, push }, { name, parameter, header, body, batches }) {
      const view = registry.views.find((candidate) => candidate.name === name)
      if (registry.onDemandViews.some((one) => one.name === name))
        throw new BadUserInput(
          `feature view "${name}" is computed when it is asked for; push to the views that its function is given`,
        )
      if (!view) return null
      refuseMapped(view)
      const to = acceptTarget(parameter('to'))
      const idempotencyKey = acceptIdempotencyKey(header('idempotency-key'))
      const readLine = (line: Line) => (line === 'too long' ? tooLong : readPushedLine(view, line))
      const perform = async (rows: readonly (PushedRow | InvalidRow)[], batch: number) => {
        const key = idempotencyKey === null ? null : `${idempotencyKey}/${batch}`
        return await push(view, rows, { to, idempotencyKey: key }).catch(refuseAll(rows.length))
      }
      return outcomeLines(ndjsonBatches(body, readLine), outcomeLine, perform, batches)
    },
  })
}

/** @throws BadUserInput */
function acceptTarget(to: unknown): PushTarget {
  if (to === undefined) return 'BOTH'
  if (to === 'OFFLINE' || to === 'BOTH') return to
  throw new BadUserInput('expected ?to=BOTH or ?to=OFFLINE, once')
}

const tooLong = new InvalidRow(lineTooLong)

/** The answer has begun: what refuses a batch is said for each of its rows. */
function refuseAll(count: number) {
  return (error: unknown): readonly PushOutcome[] => {
    if (!(error instanceof BadUserInput)) throw error
    const { code, message } = error
    return Array<PushOutcome>(count).fill({ accepted: false, online: 'NOT_ASKED', code, message })
  }
}

function outcomeLine(row: number, outcome: PushOutcome): object {
  const { violations } = outcome
  const broken = violations === undefined ? {} : { violations }
  if (outcome.accepted) return { row, accepted: true, online: outcome.online, ...broken }
  return { row, accepted: false, code: outcome.code, message: outcome.message, ...broken }
}
