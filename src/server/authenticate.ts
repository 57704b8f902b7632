import { createHash, timingSafeEqual } from 'node:crypto'
import type { Config } from '../config/config.ts'
import type { ApiKey } from '../config/json-settings.ts'
import { isLoopback } from '../config/loopback.ts'
import { Forbidden, Unauthenticated } from '../errors.ts'
import type { Caller, Right } from '../graph/context.ts'
import { payerOfAddress } from './payer-of-address.ts'

interface RequestHead {
  readonly authorization: string | undefined
  readonly host: string | undefined
}

/**
 * Who sends a request.
 * @throws Unauthenticated without a key, or with one that is not known: the same words for both.
 * @throws Forbidden when a gateway that trusts this machine is addressed by another name (a page elsewhere whose name
 * was made to resolve to this machine would be).
 */
export type Authenticate = (head: RequestHead) => Caller

const everything: Caller = { name: 'loopback', rights: new Set<Right>(['read', 'write', 'train', 'admin']) }
const anonymous: Caller = { name: 'anonymous', rights: new Set<Right>(['read']) }

type AuthSettings = Pick<Config, 'host' | 'apiKeys' | 'allowAnonymous'>

/** Keys where there is a file of them; else loopback callers have all rights, unless anyone may read. */
export function authenticator({ host, apiKeys, allowAnonymous }: AuthSettings): Authenticate {
  const withoutKey = allowAnonymous ? anonymous : null
  if (apiKeys === null) {
    if (withoutKey) return () => withoutKey
    if (!isLoopback(host)) return () => refuse()
    // Callers address it by few names; that of the last is known.
    let trusted: string | undefined
    return (head) => {
      if (head.host !== undefined && head.host === trusted) return everything
      if (isLoopbackHost(head.host)) {
        trusted = head.host
        return everything
      }
      throw new Forbidden(
        'without API keys the gateway answers to localhost only; address it as localhost or 127.0.0.1',
      )
    }
  }
  const known = apiKeys.map((key) => ({ digest: Buffer.from(key.sha256, 'hex'), caller: callerOf(key) }))
  return (head) => {
    if (head.authorization === undefined) return withoutKey ?? refuse()
    const [, token] = /^Bearer +(\S+) *$/i.exec(head.authorization) ?? []
    if (token === undefined) return refuse()
    const digest = createHash('sha256').update(token).digest()
    let caller: Caller | null = null
    // Every key is compared, so that the time says nothing of which one matched.
    for (const key of known) if (timingSafeEqual(key.digest, digest)) caller = key.caller
    return caller ?? refuse()
  }
}

function refuse(): never {
  throw new Unauthenticated('expected a known API key: Authorization: Bearer <key>')
}

/** Who sends it, as the hook in front of the route found. */
export function requireCaller(request: { readonly caller: Caller | null }): Caller {
  if (request.caller === null) throw new TypeError('a request reached its route without a caller')
  return request.caller
}

/** Whom a request's cost is charged to: the API key's name, or the address where there is none. */
export function payerOf(caller: Caller | null, address: string | undefined): string {
  const isUnnamed = caller === null || caller === anonymous || caller === everything
  return isUnnamed ? payerOfAddress(address) : `key ${caller.name}`
}

function callerOf(key: ApiKey): Caller {
  return { name: key.name, rights: new Set(key.rights) }
}

/** The Host header without its port. */
function isLoopbackHost(host: string | undefined): boolean {
  if (host === undefined) return false
  return isLoopback(
    host
      .replace(/:\d+$/, '')
      .replace(/^\[(.*)\]$/, '$1')
      .toLowerCase(),
  )
}
