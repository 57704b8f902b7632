import type { Micros } from '../definitions/timestamp.ts'
import type { ScalarValue } from '../definitions/value.ts'
import type { WindowedAggregation } from '../definitions/windowed-aggregation.ts'
import type { EventPlace } from './aggregates/aggregate.ts'
import { eventAggregate } from './aggregates/aggregates.ts'
import type { EventAggregate } from './aggregates/event-aggregate.ts'
import type { ByteReader, ByteWriter } from './bytes.ts'
import { windowStart } from './hop.ts'

/** An event as windows see it: when it counts, where it stands, and its fields by name. */
export interface WindowedEvent {
  readonly timestamp: Micros
  readonly place: EventPlace
  readonly fields: Readonly<Record<string, ScalarValue | null>>
}

/** The states of one tile, in the order of its ring's aggregates. */
type Tile = unknown[]

/** The tiles of one key and one source partition: per ring, the tiles that have events, by their numbers. */
export interface TileRings {
  readonly rings: readonly Map<number, Tile>[]
}

interface TiledValue {
  readonly value: ScalarValue | null
  readonly overflow: boolean
}

/**
 * How a streaming view keeps its windows: one ring of tiles per hop, each tile with the state of every different
 * aggregation that has a window of that hop. Everything is a function of rings and times; the clock is an argument.
 */
export interface TileLayout {
  readonly empty: () => TileRings
  /** Changes the rings. */
  readonly add: (rings: TileRings, event: WindowedEvent) => void
  /** Forgets tiles that no window at `t` or later holds. Changes the rings. */
  readonly prune: (rings: TileRings, t: Micros) => void
  /** Whether any window at `t` or later could hold an event of this time. */
  readonly isNeeded: (timestamp: Micros, t: Micros) => boolean
  /**
   * The values of the windows at t, in the order of the aggregations, over the tiles of all partitions; null where no
   * window holds an event. Right only while no tile holds an event at or after t.
   */
  readonly valuesAt: (parts: readonly TileRings[], t: Micros) => readonly TiledValue[] | null
  readonly write: (out: ByteWriter, rings: TileRings) => void
  readonly read: (input: ByteReader) => TileRings
}

interface Ring {
  readonly hopMicros: Micros
  readonly reachMicros: Micros
  readonly members: { readonly aggregation: WindowedAggregation; readonly aggregate: EventAggregate }[]
}

interface PlannedWindow {
  readonly aggregation: WindowedAggregation
  readonly ring: number
  readonly member: number
  readonly aggregate: EventAggregate
}

export function tileLayout(aggregations: readonly WindowedAggregation[]): TileLayout {
  const rings = ringsOf(aggregations)
  const planned = aggregations.map((aggregation) => planWindow(rings, aggregation))
  const presence = presenceOf(aggregations).map((aggregation) => planWindow(rings, aggregation))

  function statesIn({ ring, member }: PlannedWindow, parts: readonly TileRings[], from: number): unknown[] {
    const states: unknown[] = []
    for (const part of parts) {
      for (const [number, tile] of part.rings[ring] ?? []) if (number >= from) states.push(tile[member])
    }
    return states
  }

  function stateAt(window: PlannedWindow, parts: readonly TileRings[], t: Micros): unknown {
    const { windowMicros, hopMicros } = window.aggregation
    const from = windowStart(t, windowMicros, hopMicros) / hopMicros
    return statesIn(window, parts, from).reduce(window.aggregate.merge, window.aggregate.empty())
  }

  return {
    empty: () => ({ rings: rings.map(() => new Map()) }),
    add(into, { timestamp, place, fields }) {
      rings.forEach(({ hopMicros, members }, index) => {
        const tiles = into.rings[index]
        const number = Math.floor(timestamp / hopMicros)
        const tile = tiles?.get(number) ?? members.map(({ aggregate }) => aggregate.empty())
        members.forEach(({ aggregation, aggregate }, member) => {
          const { field, where } = aggregation
          if (!where.every((one) => (fields[one.field.name] ?? null) === one.value)) return
          tile[member] = aggregate.add(tile[member], field === null ? 1 : (fields[field.name] ?? null), place)
        })
        tiles?.set(number, tile)
      })
    },
    prune(from, t) {
      rings.forEach(({ hopMicros, reachMicros }, index) => {
        const oldest = windowStart(t, reachMicros, hopMicros) / hopMicros
        const tiles = from.rings[index]
        for (const number of tiles?.keys() ?? []) if (number < oldest) tiles?.delete(number)
      })
    },
    isNeeded: (timestamp, t) =>
      rings.some(({ hopMicros, reachMicros }) => timestamp >= windowStart(t, reachMicros, hopMicros)),
    valuesAt(parts, t) {
      if (presence.every((one) => one.aggregate.finalise(stateAt(one, parts, t)).value === 0)) return null
      return planned.map((window) => window.aggregate.finalise(stateAt(window, parts, t)))
    },
    write(out, from) {
      rings.forEach(({ members }, index) => {
        const tiles = from.rings[index] ?? new Map<number, Tile>()
        out.count(tiles.size)
        let last = 0
        for (const [number, tile] of inOrder(tiles)) {
          // Before 1970 the first number is negative.
          out.signed(number - last)
          last = number
          for (let member = 0; member < members.length; member += 1)
            members[member]?.aggregate.write(out, tile[member])
        }
      })
    },
    read(input) {
      return {
        rings: rings.map(({ members }) => {
          const tiles = new Map<number, Tile>()
          let last = 0
          for (let left = input.count(); left > 0; left -= 1) {
            last += input.signed()
            tiles.set(
              last,
              members.map(({ aggregate }) => aggregate.read(input)),
            )
          }
          return tiles
        }),
      }
    },
  }
}

/** By their numbers, as they nearly always stand already: events come nearly in order of time. */
function inOrder(tiles: ReadonlyMap<number, Tile>): Iterable<readonly [number, Tile]> {
  let last = Number.NEGATIVE_INFINITY
  for (const number of tiles.keys()) {
    if (number < last) return [...tiles].sort(([left], [right]) => left - right)
    last = number
  }
  return tiles
}

/** Any event, over the longest window of each hop: a key is there while one of its windows holds an event. */
function presenceOf(aggregations: readonly WindowedAggregation[]): readonly WindowedAggregation[] {
  const hops = [...new Set(aggregations.map(({ hopMicros }) => hopMicros))]
  return hops.map((hopMicros) => {
    const windows = aggregations.filter((one) => one.hopMicros === hopMicros)
    const windowMicros = Math.max(...windows.map((one) => one.windowMicros))
    return { aggregate: 'count', field: null, windowMicros, hopMicros, where: [] }
  })
}

function ringsOf(aggregations: readonly WindowedAggregation[]): readonly Ring[] {
  const rings = new Map<Micros, Ring>()
  const members = new Map<string, true>()
  for (const aggregation of [...aggregations, ...presenceOf(aggregations)]) {
    const { hopMicros, windowMicros } = aggregation
    const ring = rings.get(hopMicros)
    const identity = `${hopMicros} ${identityOf(aggregation)}`
    rings.set(hopMicros, {
      hopMicros,
      reachMicros: Math.max(ring?.reachMicros ?? 0, windowMicros),
      members: [
        ...(ring?.members ?? []),
        ...(members.has(identity) ? [] : [{ aggregation, aggregate: eventAggregate(aggregation) }]),
      ],
    })
    members.set(identity, true)
  }
  return [...rings.values()].sort((left, right) => left.hopMicros - right.hopMicros)
}

function planWindow(rings: readonly Ring[], aggregation: WindowedAggregation): PlannedWindow {
  const ring = rings.findIndex(({ hopMicros }) => hopMicros === aggregation.hopMicros)
  const members = rings[ring]?.members ?? []
  const member = members.findIndex((one) => identityOf(one.aggregation) === identityOf(aggregation))
  const aggregate = members[member]?.aggregate
  if (!aggregate) throw new TypeError('an aggregation is not of this layout')
  return { aggregation, ring, member, aggregate }
}

/** Windows of different lengths over the same hop share the states of their tiles. */
function identityOf({ aggregate, field, where }: WindowedAggregation): string {
  return JSON.stringify([aggregate, field?.name, where.map((one) => [one.field.name, one.value])])
}
