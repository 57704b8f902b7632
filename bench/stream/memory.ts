import { setTimeout as sleep } from 'node:timers/promises'
import type { Redis } from 'ioredis'
import type { Bench, Finding } from './bench.ts'
import { openOracle } from './oracle.ts'
import { openOurs, untilRight } from './ours.ts'
import { produce } from './produce.ts'
import {
  mix,
  now,
  partitions,
  type Transaction,
  tileMicros,
  tileOf,
  tilesOfWindow,
  transactionOf,
} from './world.ts'

const entities = 10_000
const drainedWithinMs = 180_000
/** So much of the newest tile must be left, that the window does not move while the events are on their way. */
const roomMs = 60_000

/** What Redis holds for an entity of three features over one hour, its key included. */
export async function measureMemory(bench: Bench): Promise<readonly Finding[]> {
  return [
    await measureTiles(bench, 'six_tiles', 6, 300),
    await measureTiles(bench, 'all_tiles', tilesOfWindow, 450),
  ]
}

async function measureTiles(bench: Bench, name: string, tiles: number, goal: number): Promise<Finding> {
  const { redis, kafka, stream, say } = bench
  await redis.flushall()
  await kafka.createTopic(name, partitions)
  const leftMs = (tileMicros - (now() % tileMicros)) / 1_000
  if (leftMs < roomMs) {
    say(`memory: waiting ${(leftMs / 1_000).toFixed(0)} s for a new tile`)
    await sleep(leftMs + 2_000)
  }
  const oracle = openOracle()
  await produce(stream, name, tiledTransactions(tiles), oracle)
  const ours = await openOurs(bench, name, name)
  try {
    await ours.consume()
    await untilRight(ours, oracle, oracle.customers(), { everyMs: 200, withinMs: drainedWithinMs })
  } finally {
    await ours.stop()
  }
  // Both times this connection is the only one.
  const full = await usedBytes(redis)
  const keys = await redis.dbsize()
  await redis.flushall()
  const perEntity = (full - (await usedBytes(redis))) / entities
  say(
    `memory: ${perEntity.toFixed(0)} bytes for an entity with events in ${tiles} tiles; the answers are right`,
  )
  return {
    what: `Redis memory of an entity, events in ${tiles} of ${tilesOfWindow} tiles`,
    ours: { median: perEntity, lowest: perEntity, highest: perEntity },
    unit: 'bytes',
    digits: 0,
    goal: { kind: 'BELOW', value: goal },
    remark: `used_memory of ${keys} keys, less that of an empty Redis`,
  }
}

/** Of every entity one event in each of so many tiles, in order of time. */
function* tiledTransactions(tiles: number): Generator<Transaction> {
  const time = now()
  const newest = tileOf(time)
  for (let age = tilesOfWindow - 1; age >= 0; age -= 1) {
    const start = (newest - age) * tileMicros
    const end = Math.min(start + tileMicros, time)
    for (let entity = 1; entity <= entities; entity += 1) {
      const order = ages(entity).indexOf(age)
      const at = Math.floor(start + ((end - start) * entity) / (entities + 1))
      if (order < tiles) yield transactionOf(age * entities + entity, entity, at)
    }
  }
}

/** The tiles of the window in an order that looks random and is always the same for an entity. */
function ages(entity: number): readonly number[] {
  return Array.from({ length: tilesOfWindow }, (_, age) => age).sort(
    (left, right) => mix(entity, 100 + left) - mix(entity, 100 + right),
  )
}

/** Once what Redis does in the background is done. */
async function usedBytes(redis: Redis): Promise<number> {
  let last = Number.NaN
  for (;;) {
    const [, used] = /used_memory:(\d+)/.exec(await redis.info('memory')) ?? []
    if (Math.abs(Number(used) - last) < 10_000) return Number(used)
    last = Number(used)
    await sleep(500)
  }
}
