import type { FastifyRequest } from 'fastify'
import type { AuditAction, AuditEntry } from '../stores/audit-store.ts'

/** Where entries go; never throws, and nobody waits for it. */
export type RecordAudit = (entry: AuditEntry) => void

/** Who calls, under which request id. */
interface AuditedCaller {
  readonly who: string | null
  readonly address: string
  readonly requestId: string
}

type AuditedDeed = Pick<AuditEntry, 'subject' | 'outcome' | 'count'> & { readonly action: AuditAction }

export interface Audit {
  readonly done: (caller: AuditedCaller, deed: AuditedDeed) => void
  /** A call that ended with an error of this code, if that refuses it: each caller's first of a code, then at most one entry a second, with how many it stands for. */
  readonly refused: (caller: AuditedCaller, code: string) => void
}

/** Who sends a request, where it is known already. */
export function auditedCaller({
  caller,
  ip,
  id,
}: Pick<FastifyRequest, 'caller' | 'ip' | 'id'>): AuditedCaller {
  return { who: caller?.name ?? null, address: ip, requestId: id }
}

/** Codes by which a call is refused, not answered. */
const refusalCodes: ReadonlySet<string> = new Set([
  'UNAUTHENTICATED',
  'FORBIDDEN',
  'LIMIT_EXCEEDED',
  'RATE_LIMITED',
  'OVERLOADED',
])

const refusedEveryMs = 1_000
/** Callers and codes of which it is known when they were recorded. */
const maxRefused = 10_000

/** `now` in milliseconds, never back. */
export function audit(record: RecordAudit, now: () => number): Audit {
  const recent = new Map<string, { readonly at: number; left: number }>()
  return {
    done: (caller, deed) => record({ ...caller, ...deed }),
    refused(caller, code) {
      if (!refusalCodes.has(code)) return
      const key = `${caller.who ?? caller.address} ${code}`
      const known = recent.get(key)
      const at = now()
      if (known && at - known.at < refusedEveryMs) {
        known.left += 1
        return
      }
      recent.delete(key)
      if (recent.size >= maxRefused)
        for (const oldest of [...recent.keys()].slice(0, 1)) recent.delete(oldest)
      recent.set(key, { at, left: 0 })
      record({ ...caller, action: 'CALL', subject: null, outcome: code, count: 1 + (known?.left ?? 0) })
    },
  }
}
