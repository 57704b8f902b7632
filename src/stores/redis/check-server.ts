import type { Redis } from 'ioredis'
import { StoreUnsuitable } from '../../errors.ts'
import { markerKey } from '../online-value/online-key.ts'
import { isDenied, lacksRights, refusalOf, refuse, replyOf, unusable } from './refusals.ts'

/** No marker has such a name. The two are in different slots of a cluster. */
const [probeKey, otherKey] = [markerKey('a check'), markerKey('another check')]

/** With a key of ours each, so that rights to keys count too. The last one removes what was written. */
const probes: readonly (readonly [string, (client: Redis) => Promise<unknown>])[] = [
  ['GET', (client) => client.get(probeKey)],
  ['MGET', (client) => client.mget(probeKey, otherKey)],
  ['EVAL', (client) => client.eval("return redis.call('GET', KEYS[1])", 1, probeKey)],
  ['EVALSHA', (client) => client.evalsha('0'.repeat(40), 1, probeKey)],
  ['SET', (client) => client.set(probeKey, '1', 'PX', 10_000)],
  ['SCAN', (client) => client.scan('0', 'COUNT', 1)],
  ['UNLINK', (client) => client.unlink(otherKey)],
  ['DEL', (client) => client.del(probeKey)],
]

export interface EvictionSettings {
  /** That nothing is evicted, for a server that does not show it. */
  readonly evictionDeclared: boolean
  /** Evicted rows are looked up offline. */
  readonly missesVerified: boolean
}

/**
 * Why the server of a connection cannot be the online store, the first of several reasons; null: it can. From what
 * INFO shows, where the user may run it, and from commands as the store sends them, one of them a write. Two round
 * trips. Rejects when the connection fails.
 */
export async function checkServer(
  client: Redis,
  { evictionDeclared, missesVerified }: EvictionSettings,
): Promise<StoreUnsuitable | null> {
  const [info, errors] = await Promise.all([
    readInfo(client),
    Promise.all(probes.map(async ([name, run]) => ({ name, error: await replyError(run(client)) }))),
  ])
  if (info.get('cluster_enabled') === '1') return refuse('cluster')
  const tooOld = checkVersion(info.get('redis_version'))
  if (tooOld) return tooOld
  const denied = errors.filter(({ error }) => isDenied(replyOf(error) ?? '')).map(({ name }) => name)
  if (denied.length > 0) return lacksRights(denied)
  const policy = info.get('maxmemory_policy') ?? (await readPolicy(client))
  const evicting = missesVerified ? null : checkEviction(policy, evictionDeclared)
  if (evicting) return evicting
  if (info.get('role') === 'slave') return refuse('replica')
  for (const { error } of errors) {
    const refusal = refusalOf(error)
    if (refusal) return refusal
  }
  return null
}

/** Redis' own error; null where there was none. Rejects with any other. */
async function replyError(command: Promise<unknown>): Promise<unknown> {
  try {
    await command
    return null
  } catch (error) {
    if (replyOf(error) === null) throw error
    return error
  }
}

/** Empty where the user may not run it. */
async function readInfo(client: Redis): Promise<ReadonlyMap<string, string>> {
  const text = await client.info().catch(ifRefused(''))
  const fields = [...text.matchAll(/^(\w+):(.*?)\r?$/gm)]
  return new Map(fields.map(([, name = '', value = '']) => [name, value]))
}

/** Managed servers may leave it out of INFO; most of those refuse CONFIG too. */
async function readPolicy(client: Redis): Promise<string | null> {
  const reply: unknown = await client.config('GET', 'maxmemory-policy').catch(ifRefused(null))
  return Array.isArray(reply) && typeof reply[1] === 'string' ? reply[1] : null
}

function ifRefused<Fallback>(fallback: Fallback): (error: unknown) => Fallback {
  return (error) => {
    if (replyOf(error) === null) throw error
    return fallback
  }
}

/** Of the server's `redis_version`; one that shows none passes. */
export function checkVersion(version: string | undefined): StoreUnsuitable | null {
  const [major = 0, minor = 0] = (version ?? '6.2').split('.').map(Number)
  if (major > 6 || (major === 6 && minor >= 2)) return null
  return new StoreUnsuitable('version', true, `${unusable}: it is version ${version}; run 6.2 or later`)
}

/** Keys that are evicted singly are missed by no marker: a row that is lost would read as one that never was. */
export function checkEviction(policy: string | null, declared: boolean): StoreUnsuitable | null {
  if (policy === 'noeviction' || (policy === null && declared)) return null
  const ways = [
    'set its maxmemory-policy to noeviction',
    'set FEATUREGRAPH_ONLINE_VERIFY_MISSES=true, so that every key without a row is looked up offline',
  ]
  if (policy !== null)
    return unsuitable(`its maxmemory-policy is ${policy}, by which rows are lost unnoticed`, ways)
  ways.push('allow its user INFO')
  ways.push('where it is noeviction and cannot be read, declare it by FEATUREGRAPH_ONLINE_EVICTION=none')
  return unsuitable('whether it evicts keys cannot be read', ways)
}

function unsuitable(reason: string, ways: readonly string[]): StoreUnsuitable {
  return new StoreUnsuitable('eviction', true, `${unusable}: ${reason}; ${ways.join('; or ')}`)
}
