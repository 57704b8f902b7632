import { type StoreCheck, StoreUnsuitable } from '../../errors.ts'

/** Every command that the online store sends, and those that its scripts call. */
const commands = ['ping', 'info', 'get', 'mget', 'set', 'del', 'eval', 'evalsha']

/** What is wrong with the server, and what to do; the subject is the server. */
interface Refusal {
  readonly lasting: boolean
  readonly reason: string
}

const refusals = {
  cluster: {
    lasting: true,
    reason:
      'it is a node of a Redis Cluster, which is not supported yet; set FEATUREGRAPH_ONLINE_URL to a single Redis (cluster-enabled no)',
  },
  replica: {
    lasting: false,
    reason: 'it is a replica, which takes no writes; set FEATUREGRAPH_ONLINE_URL to its primary',
  },
  memory: {
    lasting: false,
    reason:
      'its memory is full (maxmemory is reached) and it refuses writes; raise its maxmemory, or remove what else it stores',
  },
} satisfies Partial<Record<StoreCheck, Refusal>>

/** The refusals that need no more words than these. */
export function refuse(check: keyof typeof refusals, doing = unusable): StoreUnsuitable {
  const { lasting, reason } = refusals[check]
  return new StoreUnsuitable(check, lasting, `${doing}: ${reason}`)
}

export const unusable = 'Redis cannot be used as the online store'

/** `what`: the commands that were refused, in upper case, none when the reply does not name them. */
export function lacksRights(what: readonly string[], doing = unusable): StoreUnsuitable {
  const refused = what.length === 0 ? 'everything that is needed' : what.join(', ')
  const rights = commands.map((command) => `+${command}`).join(' ')
  return new StoreUnsuitable(
    'rights',
    true,
    `${doing}: its user has no right to ${refused} on the keys f:*; grant it as an administrator of Redis: ACL SETUSER <user> ~f:* ${rights}`,
  )
}

/** The reply with which Redis refused a command; null: it did not reply, and the connection failed. */
export function replyOf(error: unknown): string | null {
  return error instanceof Error && error.name === 'ReplyError' ? error.message : null
}

/** Redis 7 names the command; 6.2 does so outside of scripts only. */
const denied = /^NOPERM|ACL failure|The user executing the script can't/

export function isDenied(reply: string): boolean {
  return denied.test(reply)
}

/** What a command's error reply says about the server; null: nothing. `doing` begins the message. */
export function refusalOf(error: unknown, doing = unusable): StoreUnsuitable | null {
  const reply = replyOf(error)
  if (reply === null) return null
  if (isDenied(reply)) {
    const [, command] = /'([\w|]+)' command/.exec(reply) ?? []
    return lacksRights(command === undefined ? [] : [command.toUpperCase()], doing)
  }
  if (/^(?:MOVED|ASK|CLUSTERDOWN|CROSSSLOT)\b/.test(reply)) return refuse('cluster', doing)
  if (/\b(?:READONLY|MASTERDOWN)\b/.test(reply)) return refuse('replica', doing)
  if (/\bOOM command\b/.test(reply)) return refuse('memory', doing)
  if (!/\b(?:MISCONF|NOREPLICAS)\b/.test(reply)) return null
  return new StoreUnsuitable('writes', false, `${doing}: it refuses writes with "${reply}"`)
}
