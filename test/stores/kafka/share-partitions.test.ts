import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { partitionName, type TopicPartition } from '../../../src/stores/event-stream.ts'
import {
  decodeAssignment,
  decodeSubscription,
  encodeAssignment,
  encodeSubscription,
} from '../../../src/stores/kafka/group-protocol.ts'
import { type Member, sharePartitions } from '../../../src/stores/kafka/share-partitions.ts'

const counts = new Map([
  ['a', 5],
  ['b', 3],
])
const all = [...counts].flatMap(([topic, count]) =>
  Array.from({ length: count }, (_, partition) => ({ topic, partition })),
)
const names = (partitions: readonly TopicPartition[]): readonly string[] =>
  partitions.map(partitionName).toSorted()

/** Rounds of joining, as the group does them: everyone lets go of what is not its own any more. */
function settle(members: readonly Member[]): {
  readonly members: readonly Member[]
  readonly rounds: number
} {
  let now = members
  for (let rounds = 1; rounds < 10; rounds++) {
    const shares = sharePartitions(now, counts)
    const held = new Map(shares.map(({ id, partitions }) => [id, partitions]))
    const given = shares.flatMap(({ partitions }) => partitions.map(partitionName))
    expect(new Set(given).size).toBe(given.length)
    for (const { id, partitions } of shares)
      for (const one of partitions) {
        const others = now.filter((member) => member.id !== id)
        expect(others.flatMap((member) => names(member.held))).not.toContain(partitionName(one))
      }
    const wereReleased = now.some((member) =>
      names(member.held).some((name) => !names(held.get(member.id) ?? []).includes(name)),
    )
    now = now.map((member) => ({ ...member, held: held.get(member.id) ?? [] }))
    if (!wereReleased) return { members: now, rounds }
  }
  throw new Error('the group did not settle')
}

const anyMembers = fc
  .array(fc.subarray(all), { minLength: 1, maxLength: 6 })
  .map((held) =>
    held.map((partitions, index): Member => ({ id: `m${index}`, topics: ['a', 'b'], held: partitions })),
  )

describe('partitions of a group', () => {
  it('are shared evenly and whole in two rounds, from whatever the members claim, none ever given while another holds it', () => {
    fc.assert(
      fc.property(anyMembers, (members) => {
        const settled = settle(members)
        expect(settled.rounds).toBeLessThanOrEqual(2)
        expect(names(settled.members.flatMap(({ held }) => held))).toEqual(names(all))
        const sizes = settled.members.map(({ held }) => held.length)
        expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(1)
        // And stay where they are.
        expect(settle(settled.members)).toEqual({ members: settled.members, rounds: 1 })
      }),
    )
  })

  it('move as few as make it even', () => {
    const before = settle([
      { id: 'x', topics: ['a', 'b'], held: [] },
      { id: 'y', topics: ['a', 'b'], held: [] },
    ]).members
    const after = settle([...before, { id: 'z', topics: ['a', 'b'], held: [] }]).members
    const kept = before.flatMap(({ held }, index) => {
      const now = names(after[index]?.held ?? [])
      return names(held).filter((name) => now.includes(name))
    })
    expect(kept).toHaveLength(6)
  })

  it('go only to members that want the topic', () => {
    const { members } = settle([
      { id: 'x', topics: ['a'], held: all },
      { id: 'y', topics: ['b'], held: [] },
      { id: 'z', topics: [], held: [] },
    ])
    expect(members.map(({ held }) => new Set(held.map(({ topic }) => topic)))).toEqual([
      new Set(['a']),
      new Set(['b']),
      new Set(),
    ])
  })

  it('pass the wire', () => {
    const subscription = { topics: ['a', 'b'], held: all }
    expect(decodeSubscription(encodeSubscription(subscription))).toEqual(subscription)
    expect(decodeAssignment(encodeAssignment(all))).toEqual(all)
    expect(decodeAssignment(encodeAssignment([]))).toEqual([])
    expect(decodeAssignment(Buffer.alloc(0))).toEqual([])
  })
})
