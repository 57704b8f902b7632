import {
  heartbeatV4,
  joinGroupV6,
  joinGroupV7,
  joinGroupV8,
  joinGroupV9,
  leaveGroupV4,
  leaveGroupV5,
  syncGroupV4,
  syncGroupV5,
} from '@platformatic/kafka'
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
import { answerIn, protocolError, protocolErrorsIn, storeFailed } from './protocol-error.ts'
import { sharePartitions } from './share-partitions.ts'
import { signal } from './signal.ts'

export interface GroupTimeouts {
  /** The others get the partitions of a member that has been silent for so long. */
  readonly sessionTimeoutMs: number
  readonly heartbeatMs: number
  /** A member that does not give up a revoked partition within this time is out of the group. */
  readonly revocationTimeoutMs: number
  /** How often new partitions and topics are looked for. */
  readonly metadataMs: number
}

export interface MembershipOptions extends GroupTimeouts {
  readonly cluster: Cluster
  readonly group: string
  readonly topics: readonly string[]
  /** What the consumer has taken of `assigned` and not given up yet. */
  readonly owned: () => readonly TopicPartition[]
  /** Everything owned is gone. */
  readonly onLost: () => void
  /** `assigned` is another. */
  readonly onChange: () => void
  readonly onError: (error: StoreFailed) => void
}

/**
 * A place in a consumer group by Kafka's classic protocol, in the cooperative manner of KIP-429: joins, heartbeats and
 * joins anew in the background, and never takes or gives up a partition itself. The consumer takes what is `assigned`,
 * gives up what is not any more, and says `released`; only then does the group hear of it, so that no other gets it before.
 */
export interface GroupMembership {
  readonly assigned: () => ReadonlyMap<string, TopicPartition>
  /** What a commit is signed with; null: not a member now. `settled` is false while a rebalance goes on. */
  readonly member: () => {
    readonly id: string
    readonly generation: number
    readonly settled: boolean
  } | null
  /** Something that is not assigned any more has been given up. */
  readonly released: () => void
  /** The consumer is alive: it is let in again after a revocation that it missed. */
  readonly polled: () => void
  /** Never rejects: a group that cannot be told waits for the session timeout. */
  readonly leave: () => Promise<void>
}

const joinVersions = [joinGroupV9.api, joinGroupV8.api, joinGroupV7.api, joinGroupV6.api]
const syncVersions = [syncGroupV5.api, syncGroupV4.api]
const heartbeatVersions = [heartbeatV4.api]
const leaveVersions = [leaveGroupV5.api, leaveGroupV4.api]
const longestPauseMs = 2_000

export function joinGroup(options: MembershipOptions): GroupMembership {
  const { cluster, group, topics } = options
  // For joining only: it is answered when all members have come, and nothing passes it on its connection meanwhile.
  const channel = cluster.beside(options.revocationTimeoutMs + options.sessionTimeoutMs)
  const wake = signal()
  let memberId = ''
  let generation = -1
  let assigned: ReadonlyMap<string, TopicPartition> = new Map()
  /** Claimed when we joined and not ours any more: the group waits for us to join without them. */
  let toRelease: readonly string[] = []
  let releaseUntil = Number.POSITIVE_INFINITY
  let [mustJoin, joining, missed, leaving] = [true, false, false, false]
  /** Of all subscribed topics, when we shared them out as the leader; null: another is the leader. */
  let sharedCounts: { readonly at: number; readonly counts: ReadonlyMap<string, number> } | null = null

  const ownedNames = (): ReadonlySet<string> => new Set(options.owned().map(partitionName))
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
    joining = true
    const claimed = new Map(assigned)
    for (const one of options.owned()) claimed.set(partitionName(one), one)
    const metadata = encodeSubscription({ topics, held: [...claimed.values()] })
    const protocols = [{ name: groupProtocol, metadata }]
    const { sessionTimeoutMs, revocationTimeoutMs } = options
    const node = await cluster.coordinator(group)
    const ask = async () =>
      await answerIn(
        channel.request(
          ...([node, joinVersions, group, sessionTimeoutMs, revocationTimeoutMs, memberId] as const),
          ...([null, 'consumer', protocols, null] as const),
        ),
      )
    let answer = await ask()
    if (answer.errorCode !== 0 && protocolError(answer.errorCode) === 'MEMBER_ID_REQUIRED') {
      memberId = answer.memberId ?? ''
      answer = await ask()
    }
    if (answer.errorCode !== 0) throw new GroupRefused(protocolError(answer.errorCode))
    memberId = answer.memberId ?? ''
    generation = answer.generationId
    sharedCounts = null
    const shares = answer.leader === memberId ? await share(answer.members) : []
    const { assignment } = await channel.request(
      ...([
        node,
        syncVersions,
        group,
        generation,
        memberId,
        null,
        'consumer',
        groupProtocol,
        shares,
      ] as const),
    )
    assigned = new Map(decodeAssignment(assignment).map((one) => [partitionName(one), one]))
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
    if (leaving || missed) return
    if (toRelease.length > 0) {
      const owned = ownedNames()
      if (!toRelease.some((name) => owned.has(name))) {
        mustJoin = true
        return
      }
      if (performance.now() > releaseUntil) {
        missed = true
        await tellLeaving()
        memberId = ''
        lose()
        const waited = `${options.revocationTimeoutMs} ms`
        options.onError(
          new StoreFailed(`revoked partitions were not given up within ${waited}: left the group "${group}"`),
        )
        return
      }
    }
    await cluster.request(
      await cluster.coordinator(group),
      heartbeatVersions,
      group,
      generation,
      memberId,
      null,
    )
    if (sharedCounts !== null && performance.now() - sharedCounts.at > options.metadataMs) {
      const { counts } = sharedCounts
      const now = await countsOf([...counts.keys()], 0)
      sharedCounts = { at: performance.now(), counts }
      mustJoin = [...now].some(([name, count]) => counts.get(name) !== count)
    }
  }
  const tellLeaving = async (): Promise<void> => {
    if (memberId === '') return
    try {
      // Not on our own channel: a join may be waiting there.
      await cluster.request(await cluster.coordinator(group), leaveVersions, group, [{ memberId }])
    } catch {
      // The session timeout will do.
    }
  }

  /** How long to pause before going on. */
  const recover = (error: unknown, failures: number): number => {
    const names = error instanceof GroupRefused ? new Set([error.message]) : protocolErrorsIn(error)
    if (names.has('REBALANCE_IN_PROGRESS')) {
      mustJoin = true
      return 0
    }
    if (names.has('UNKNOWN_MEMBER_ID') || names.has('ILLEGAL_GENERATION')) {
      if (names.has('UNKNOWN_MEMBER_ID')) memberId = ''
      lose()
      return failures === 1 ? 0 : 100
    }
    cluster.forgetCoordinator()
    // The first is told when it repeats: a new cluster has no coordinators until the first group asks for one.
    if (failures > 1) options.onError(storeFailed(`the Kafka group "${group}"`, error))
    return Math.min(50 * 2 ** failures, longestPauseMs)
  }
  const run = async (): Promise<void> => {
    let failures = 0
    while (!leaving) {
      try {
        if (mustJoin && !missed) await join()
        else await keepAlive()
        failures = 0
      } catch (error) {
        if (leaving) return
        failures += 1
        const pauseMs = recover(error, failures)
        if (pauseMs > 0) await wake.wait(pauseMs)
      } finally {
        joining = false
      }
    }
  }
  const running = run()

  return {
    assigned: () => assigned,
    member: () => (generation < 0 ? null : { id: memberId, generation, settled: !joining && !mustJoin }),
    released: wake.raise,
    polled: () => {
      if (!missed) return
      missed = false
      wake.raise()
    },
    leave: async () => {
      leaving = true
      wake.raise()
      await tellLeaving()
      await channel.close().catch(() => {})
      await running
    },
  }
}

/** The broker's answer to a join, by its name. */
class GroupRefused extends Error {}
