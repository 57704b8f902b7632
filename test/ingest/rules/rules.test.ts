import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parseTimestamp } from '../../../src/definitions/timestamp.ts'
import { between, seededRandom } from '../../faults/random.ts'
import { isLong } from '../../services/long-run.ts'
import { type RedisServer, startRedis } from '../../services/redis.ts'
import { rulesOracle } from './rules-oracle.ts'
import { compareAll, type RulesRun, steps } from './rules-steps.ts'
import { openRulesWorld } from './rules-world.ts'

const seed = Number(process.env['FEATUREGRAPH_TEST_SEED'] ?? Date.now() % 2 ** 31)
const [runs, stepsPerRun] = isLong ? [40, 30] : [3, 12]

/** Ahead of every clock, so that the online store expires nothing by its own; early in a month, so that events and windows reach into the one before. */
const start = parseTimestamp('2040-03-02T18:34:56Z') ?? 0

const weighted = Object.entries(steps).flatMap(([name, [weight]]) =>
  Array.from({ length: weight }, () => name),
)

describe('all ways in together, in random orders', () => {
  let redis: RedisServer
  beforeAll(async () => {
    redis = await startRedis()
  })
  afterAll(async () => {
    await redis?.stop()
  })

  for (let number = 0; number < runs; number += 1) {
    it(`leave what the rules say on both clocks after every step, run ${number}`, {
      timeout: 1_800_000,
    }, async () => {
      const random = seededRandom(seed + number)
      const world = await openRulesWorld(redis.url, start)
      const oracle = rulesOracle(world.views)
      const run: RulesRun = {
        ...{ world, oracle, random, start, log: [], ids: [], topic: [[], []], letters: [], logEnd: 0 },
        ...{ unfinished: null, copied: null, isLost: false, questions: [], used: 0 },
      }
      try {
        // The first snapshot: before it a batch view only says that it has none.
        await steps['compute the newest snapshot']?.[1](run)
        await compareAll(run)
        for (let step = 0; step < stepsPerRun; step += 1) {
          for (let left = between(random, 1, 6); left > 0; left -= 1) {
            const name = weighted[between(random, 0, weighted.length - 1)] ?? ''
            run.log.push(`${step}: ${name}`)
            await world.advance(between(random, 1, 1_000_000))
            await steps[name]?.[1](run)
          }
          await compareAll(run)
        }
      } catch (error) {
        const again = `with FEATUREGRAPH_TEST_SEED=${seed + number}, in its first run`
        throw new Error(`${String(error)}\n${again}, after these steps:\n${run.log.join('\n')}`, {
          cause: error,
        })
      } finally {
        await world.close()
      }
      expect(run.log.length).toBeGreaterThan(0)
    })
  }
})
