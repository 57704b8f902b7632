import { heartbeatV4, joinGroupV7, leaveGroupV4, syncGroupV5 } from '@platformatic/kafka'
import { StoreFailed } from '../../errors.ts'
import { partitionName, type TopicPartition } from '../event-stream.ts'
import type { Cluster } from './cluster.ts'
import {
  decodeAssignment,
  decodeSubscription,
  encodeAssignment,
  encodeSubscription,
  groupProtocol,
} from './group-protocol.ts'
import { answerIn, protocolErrorsIn, storeFailed } from './protocol-error.ts'
import { sharePartitions } from './share-partitions.ts'
import { signal } from './signal.ts'

export interface GroupTimeouts {
  /** The others get the partitions of a member that has been silent for so long. */
  readonly sessionTimeoutMs: number
  readonly heartbeatMs: number
  /** A member that does not give up a revoked partition within this time is out of the group. */
  readonly revocationTimeoutMs: number
  /** How often new partitions and topics are checked for. */
  readonly metadataMs: number
}

export interface MembershipOptions extends GroupTimeouts {
  readonly cluster: Cluster
  readonly group: string
  readonly topics: readonly string[]
  /** What the consumer has taken of `assigned`, and neither given up nor lost. */
  readonly owned: () => readonly TopicPartition[]
  /** Everything owned may be another member's by now. */
  readonly onLost: () => void
  /** `assigned` has changed. */
  readonly onChange: () => void
  readonly onError: (error: StoreFailed) => void
}

/**
 * A membership of a consumer group by Kafka's classic protocol, in the cooperative manner of KIP-429: joins, sends
 * heartbeats and joins again in the background, and never takes or gives up a partition itself. The consumer takes what is
 * `assigned`, gives up what is not any more, and calls `released`; only then does the group learn of it, so that no other
 * member gets it before.
 */
export interface GroupMembership {
  readonly assigned: () => ReadonlyMap<string, TopicPartition>
  /** What a commit is signed with; null: not a member now. */
  readonly member: () => { readonly id: string; readonly generation: number } | null
  /** Something that is not assigned any more has been given up. */
  readonly released: () => void
  /** The consumer is alive: it may join again after a revocation that it missed. */
  readonly polled: () => void
  /** Never rejects: where no broker answers, the group waits for the session timeout. */
  readonly leave: () => Promise<void>
}

const longestPauseMs = 2_000

export function joinGroup(options: MembershipOptions): GroupMembership {
  const { cluster, group, topics } = options
  // For joining only: it is answered when all members have joined, and nothing passes it on its connection meanwhile.
  const channel = cluster.beside(options.revocationTimeoutMs + options.sessionTimeoutMs)
  const wake = signal()
  let memberId = ''
  let generation = -1
  let assigned: ReadonlyMap<string, TopicPartition> = new Map()
  /** Claimed when we joined and not ours any more: the group waits for us to join without them. */
  let toRelease: readonly string[] = []
  let releaseUntil = Number.POSITIVE_INFINITY
  let [mustJoin, hasMissed, isLeaving] = [true, false, false]
  /** Partition counts of all subscribed topics, when we shared them out as the leader; null: another is the leader. */
  let sharedCounts: { readonly at: number; readonly counts: ReadonlyMap<string, number> } | null = null

  const lose = (): void => {
    ;[assigned, toRelease, generation, sharedCounts, mustJoin] = [new Map(), [], -1, null, true]
    options.onLost()
    options.onChange()
  }
  const countsOf = async (names: readonly string[], maxAgeMs: number): Promise<Map<string, number>> => {
    const found = await cluster.topics(names, maxAgeMs)
    return new Map(names.map((name) => [name, found.get(name)?.leaders.length ?? 0]))
  }

  const join = async (): Promise<void> => {
    const claimed = new Map(assigned)
    for (const one of options.owned()) claimed.set(partitionName(one), one)
    const metadata = encodeSubscription({ topics, held: [...claimed.values()] })
    const { sessionTimeoutMs, revocationTimeoutMs } = options
    const protocols = [{ name: groupProtocol, metadata }]
    const own = [sessionTimeoutMs, revocationTimeoutMs, memberId, null, 'consumer'] as const
    const joining = channel.requestCoordinator(group, joinGroupV7.api, group, ...own, protocols)
    // A new member gets its id with a refusal.
    memberId = (await answerIn(joining)).memberId || memberId
    const answer = await joining
    generation = answer.generationId
    sharedCounts = null
    const shares = answer.leader === memberId ? await share(answer.members) : []
    const mine = [generation, memberId, null, 'consumer', groupProtocol] as const
    const synced = await channel.requestCoordinator(group, syncGroupV5.api, group, ...mine, shares)
    assigned = new Map(decodeAssignment(synced.assignment).map((one) => [partitionName(one), one]))
    toRelease = [...claimed.keys()].filter((name) => !assigned.has(name))
    releaseUntil = performance.now() + revocationTimeoutMs
    mustJoin = false
    options.onChange()
  }
  const share = async (
    members: readonly { readonly memberId: string; readonly metadata: Buffer | null }[],
  ) => {
    const all = members.map((one) => ({ id: one.memberId, ...decodeSubscription(one.metadata) }))
    const counts = await countsOf([...new Set(all.flatMap((one) => one.topics))], 0)
    sharedCounts = { at: performance.now(), counts }
    return sharePartitions(all, counts).map(({ id, partitions }) => ({
      memberId: id,
      assignment: encodeAssignment(partitions),
    }))
  }

  const keepAlive = async (): Promise<void> => {
    await wake.wait(options.heartbeatMs)
    if (isLeaving || hasMissed) return
    if (toRelease.length > 0) {
      const owned = new Set(options.owned().map(partitionName))
      mustJoin = !toRelease.some((name) => owned.has(name))
      if (mustJoin) return
      if (performance.now() > releaseUntil) return await leaveUntilPolled()
    }
    await cluster.requestCoordinator(group, heartbeatV4.api, group, generation, memberId, null)
    if (sharedCounts !== null && performance.now() - sharedCounts.at > options.metadataMs) {
      const { counts } = sharedCounts
      const now = await countsOf([...counts.keys()], 0)
      sharedCounts = { at: performance.now(), counts }
      mustJoin = [...now].some(([name, count]) => counts.get(name) !== count)
    }
  }
  const leaveUntilPolled = async (): Promise<void> => {
    hasMissed = true
    await sendLeave()
    memberId = ''
    lose()
    const what = `revoked partitions were not given up within ${options.revocationTimeoutMs} ms`
    options.onError(new StoreFailed(`${what}: left the Kafka group "${group}"`))
  }
  /** Where it fails, the session timeout will do. Not on our own channel: a join may be waiting there. */
  const sendLeave = async (): Promise<void> => {
    if (memberId === '') return
    await cluster.requestCoordinator(group, leaveGroupV4.api, group, [{ memberId }]).catch(() => {})
  }

  /** How long to pause before going on. */
  const recover = (error: unknown, failures: number): number => {
    const names = protocolErrorsIn(error)
    if (names.has('REBALANCE_IN_PROGRESS') || names.has('MEMBER_ID_REQUIRED')) {
      mustJoin = true
      return 0
    }
    if (names.has('UNKNOWN_MEMBER_ID') || names.has('ILLEGAL_GENERATION')) {
      if (names.has('UNKNOWN_MEMBER_ID')) memberId = ''
      if (options.owned().length > 0)
        options.onError(
          new StoreFailed(`the Kafka group "${group}" gave this consumer's partitions to others`),
        )
      lose()
      return failures === 1 ? 0 : 100
    }
    // The first is not reported: a new cluster has no coordinators until the first group asks for one.
    if (failures > 1) options.onError(storeFailed(`the Kafka group "${group}"`, error))
    return Math.min(50 * 2 ** failures, longestPauseMs)
  }
  const run = async (): Promise<void> => {
    let failures = 0
    while (!isLeaving) {
      try {
        if (mustJoin && !hasMissed) await join()
        else await keepAlive()
        failures = 0
      } catch (error) {
        if (isLeaving) return
        failures += 1
        const pauseMs = recover(error, failures)
        if (pauseMs > 0) await wake.wait(pauseMs)
      }
    }
  }
  const running = run()

  return {
    assigned: () => assigned,
    member: () => (generation < 0 ? null : { id: memberId, generation }),
    released: wake.raise,
    polled: () => {
      if (!hasMissed) return
      hasMissed = false
      wake.raise()
    },
    leave: async () => {
      isLeaving = true
      wake.raise()
      await sendLeave()
      await channel.close().catch(() => {})
      await running
    },
  }
}
