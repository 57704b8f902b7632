import type { FastifyReply, FastifyRequest } from 'fastify'
import type { UnavailableReason } from '../definitions/unavailable-reason.ts'
import type { StoreUnsuitable } from '../errors.ts'
import { refuse } from './http-error.ts'

export interface ReadyzOptions {
  readonly checkDependencies: () => Promise<Dependencies>
  readonly onlineState: () => Promise<OnlineState>
  /** What is shown besides; whatever it says, requests can be answered. */
  readonly backgroundState: () => object
  /** True from the signal to end on: balancers are sent away, connections end with their answer. */
  readonly isDraining: () => boolean
}

export interface Dependency {
  /** As it is shown. */
  readonly name: string
  readonly up: boolean
  /** What is wrong where it answers and cannot be used; shown to anyone. */
  readonly failed: Pick<StoreUnsuitable, 'check' | 'message'> | null
}

export type Dependencies = Readonly<Record<'online' | 'offline', Dependency>>

/** What the online store can be asked now. */
export interface OnlineState {
  /** Why no online read is answered; null: reads are, or another store answers them. */
  readonly refused: UnavailableReason | null
  /** Whether the offline store answers what the online store does not. */
  readonly answeredOffline: boolean
  /** Views that are not answered, or not from the online store; `rowsRead`: how far the run is that fills one. */
  readonly views: readonly {
    readonly view: string
    readonly reason: UnavailableReason
    readonly rowsRead: number | null
  }[]
}

type States = Dependencies & { readonly reads: OnlineState }

/** What may be asked for by `?for=`, and when it is ready. */
const isReadyFor: Readonly<Record<'all' | 'online' | 'offline', (states: States) => boolean>> = {
  all: ({ online, offline, reads }) => online.up && offline.up && reads.refused === null,
  online: ({ online, offline, reads }) =>
    reads.refused === null && (online.up || (reads.answeredOffline && offline.up)),
  offline: ({ offline }) => offline.up,
}

/** `GET /readyz`: 200 where requests are answered, all of them or those that `?for=online|offline` asks about, else 503. */
export function readyz(options: ReadyzOptions) {
  return async ({ query }: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> => {
    const { for: asked = 'all' } = query as { readonly for?: unknown }
    if (asked !== 'all' && asked !== 'online' && asked !== 'offline') {
      const message = 'expected /readyz, /readyz?for=online or /readyz?for=offline'
      return refuse(reply, { status: 400, code: 'BAD_REQUEST', message })
    }
    const [dependencies, reads] = await Promise.all([options.checkDependencies(), options.onlineState()])
    const draining = options.isDraining()
    const ready = !draining && isReadyFor[asked]({ ...dependencies, reads })
    const shown = Object.values(dependencies)
    const failures = shown.flatMap(({ name, failed }) =>
      failed === null ? [] : [{ dependency: name, check: failed.check, message: failed.message }],
    )
    return reply.code(ready ? 200 : 503).send({
      status: draining ? 'draining' : ready ? 'ready' : 'unready',
      dependencies: Object.fromEntries(shown.map(({ name, up }) => [name, up ? 'up' : 'down'])),
      ...(failures.length > 0 ? { failures } : {}),
      ...(reads.refused === null ? {} : { onlineReads: reads.refused }),
      ...(reads.views.length > 0 ? { unavailableViews: reads.views } : {}),
      ...options.backgroundState(),
    })
  }
}
