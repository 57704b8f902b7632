import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { kafkaOrSkip } from '../services/kafka.ts'
import { isLong } from '../services/long-run.ts'
import { type FaultProject, openFaultProject } from './fault-project.ts'
import { type FaultServers, startFaultServers } from './fault-servers.ts'
import { madeEvent, madeGarbage } from './made-message.ts'
import type { Make } from './producer.ts'
import { between, type Random, seededRandom } from './random.ts'

const seed = Number(process.env['FEATUREGRAPH_TEST_SEED'] ?? Date.now() % 2 ** 31)
const kafka = await kafkaOrSkip()
const second = 1_000_000
const minute = 60 * second
const megabyte = 1_048_576

/** Nine events, then what is none. */
const tenthGarbage: Make = (random, seq, now) => (seq % 10 === 3 ? madeGarbage : madeEvent)(random, seq, now)

interface Trials {
  readonly project: FaultProject
  readonly random: Random
  /** The work so many times, each with a check behind it; the second number is that of the long run. */
  readonly rounds: (count: number, countLong: number, work: () => Promise<void>) => Promise<void>
  /** Within a round. */
  readonly times: (count: number, work: () => Promise<void>) => Promise<void>
}

interface Line {
  readonly fault: string
  readonly trials: number
  readonly produced: number
  readonly answers: number
  readonly isRight: boolean
}

if (kafka === null) it.skip('faults of the stream on a real Kafka: none can be had here, see CONTRIBUTING.md')
else {
  let servers: FaultServers
  const lines: Line[] = []
  let shared: FaultProject | null = null
  beforeAll(async () => {
    servers = await startFaultServers()
  })
  afterAll(async () => {
    await shared?.endAll()
    await shared?.close()
    await servers?.stop()
    if (isLong) process.stdout.write(table(lines))
  })

  const openProject = async (): Promise<FaultProject> => {
    const project = await openFaultProject(kafka, servers, { random: seededRandom(seed), isLong })
    project.start(2)
    return project
  }
  /**
   * A fault as a test: `work` brings it about, and leaves two processes as it found them; trials are what it counts. On a
   * project of its own in the long run; in the short one all share one, since starts cost most.
   */
  const fault = (name: string, work: (trials: Trials) => Promise<void>): void => {
    // Some wait for many things, one after the other.
    it(name, { timeout: isLong ? 1_800_000 : 900_000 }, async () => {
      const random = seededRandom(seed)
      const project = shared ?? (await openProject())
      if (!isLong) shared = project
      let trials = 0
      let isRight = false
      const times: Trials['times'] = async (count, one) => {
        for (let left = count; left > 0; left -= 1) {
          await one()
          trials += 1
        }
      }
      const rounds: Trials['rounds'] = async (count, countLong, one) => {
        for (let left = isLong ? countLong : count; left > 0; left -= 1) {
          await one()
          await project.check()
        }
      }
      try {
        await work({ project, random, rounds, times })
        if (isLong) await project.endAll()
        isRight = true
      } catch (error) {
        shared = null
        if (error instanceof Error) error.message += `\nwith FEATUREGRAPH_TEST_SEED=${seed}`
        throw error
      } finally {
        lines.push({ fault: name, trials, ...project.compared(), isRight })
        if (project !== shared) await project.close()
      }
    })
  }

  /** The suite has only what the others do not bring about too: it is to be short. */
  const longFault: typeof fault = isLong ? fault : () => {}

  describe('every event is stored once and every window is right, on both clocks', () => {
    longFault(
      'what was dead-lettered once is read again when it would be an event',
      async ({ project, rounds, times }) => {
        const [least, most] = [10 * minute + 3 * second, 10 * minute + 5 * second]
        const justAhead: Make = (random, seq, now) => madeEvent(random, seq, now, { ahead: [least, most] })
        await project.producer.send(500, tenthGarbage)
        await project.check()
        await rounds(1, 3, async () => {
          await project.producer.send(100, justAhead)
          const areEvents = sleep((most - 10 * minute) / 1_000 + 500)
          await project.check()
          await areEvents
          await project.endAll()
          await project.rewind()
          project.start(2)
          await times(1, () => project.producer.send(500, tenthGarbage))
        })
      },
    )

    longFault(
      'a topic is read from its start again, while more comes',
      async ({ project, rounds, times }) => {
        await project.producer.send(1_000)
        await project.check()
        await rounds(1, 10, async () => {
          const before = await project.storedMoments()
          await project.endAll()
          await project.rewind()
          project.start(2)
          await times(1, () => project.producer.send(1_000))
          await project.untilMoreIsStored()
          await project.producer.send(500)
          await project.check()
          // Each counts from the moment that it was stored the first time.
          const after = await project.storedMoments()
          expect([...before].filter(([seq, moment]) => after.get(seq) !== moment)).toEqual([])
        })
      },
    )

    fault('a consumer is killed at any moment, beside others', async ({ project, random, rounds, times }) => {
      await rounds(1, 10, async () => {
        const stop = project.producer.load(tenthGarbage)
        await times(3, async () => {
          if (random() < 0.5) await project.untilMoreIsStored()
          await sleep(between(random, 0, 1_500))
          await project.end('SIGKILL')
          project.start(1)
        })
        await project.untilMoreIsStored()
        await stop()
      })
    })

    fault('a consumer hangs in the middle of a batch', async ({ project, rounds, times }) => {
      await project.producer.send(300)
      await project.check()
      await rounds(1, 5, async () => {
        const held = await project.holdStoredEvents()
        // None of another month: who makes its partition first waits as a reader does.
        await project.producer.send(200, (random, seq, at) =>
          madeEvent(random, seq, at, { ahead: [-8 * minute, 0] }),
        )
        await held.untilAsked('by a writer')
        const goOn = project.hang()
        await held.release()
        await times(1, () => project.untilMoreIsStored())
        goOn()
        await project.producer.send(200)
      })
    })

    fault('Redis is killed and comes back empty, or as it was before', async (trials) => {
      const { project, random, rounds, times } = trials
      await rounds(1, 10, async () => {
        const stop = project.producer.load()
        await project.untilMoreIsStored()
        const setBack = await servers.snapshotRedis()
        await sleep(between(random, 200, 1_500))
        await times(1, setBack)
        await project.untilMoreIsStored()
        await sleep(between(random, 0, 500))
        await times(1, servers.emptyRedis)
        await sleep(between(random, 0, 500))
        await stop()
      })
    })

    longFault(
      'Redis comes back empty while Postgres is slow to answer',
      async ({ project, rounds, times }) => {
        await project.producer.send(500)
        await project.check()
        await rounds(1, 5, async () => {
          const bringBack = await servers.snapshotRedis()
          await servers.killRedis()
          const sendMore = async (): Promise<void> => {
            const more = project.untilMoreIsStored()
            await project.producer.send(200)
            await more
          }
          await sendMore()
          // Another process, which has seen none of these.
          await project.endAll()
          project.start(2)
          await sendMore()
          const held = await project.holdStoredEvents()
          await bringBack()
          await held.untilAsked('by a reader')
          await times(1, servers.emptyRedis)
          // Clients come back within two seconds.
          await sleep(2_500)
          await held.release()
        })
      },
    )

    fault('Postgres ends at once and comes back', async ({ project, random, rounds, times }) => {
      await rounds(1, 15, async () => {
        const stop = project.producer.load()
        await times(2, async () => {
          await project.untilMoreIsStored()
          await sleep(between(random, 0, 500))
          await servers.postgres.kill()
          await sleep(between(random, 0, 1_000))
          await servers.postgres.restart()
        })
        await project.untilMoreIsStored()
        await stop()
      })
    })

    fault('the broker is killed and comes back', async ({ project, random, rounds, times }) => {
      await rounds(1, 10, async () => {
        const stop = project.producer.load()
        await times(1, async () => {
          await project.untilMoreIsStored()
          await sleep(between(random, 0, 500))
          await kafka.kill()
          await sleep(between(random, 0, 1_000))
          await kafka.restart()
        })
        await project.untilMoreIsStored()
        await stop()
      })
    })

    longFault('consumers join and leave', async ({ project, random, rounds, times }) => {
      await rounds(1, 10, async () => {
        const stop = project.producer.load(tenthGarbage)
        await times(3, async () => {
          project.start(1)
          await project.untilMoreIsStored()
          await sleep(between(random, 1_000, 2_000))
          await project.end('SIGTERM')
        })
        await stop()
      })
    })

    longFault('the clock of a producer is 10 minutes ahead, and of another behind', async (trials) => {
      const { project, rounds, times } = trials
      const ahead: Make = (random, seq, now) =>
        madeEvent(random, seq, now, seq % 2 === 0 ? { ahead: [9 * minute, 11 * minute] } : {})
      await rounds(1, 5, () => times(1, () => project.producer.send(2_000, ahead)))
    })

    longFault('messages of 5 MB come between', async ({ project, rounds, times }) => {
      const long = 'x'.repeat(5 * megabyte)
      const large: readonly Make[] = [
        (random, seq, now) => madeEvent(random, seq, now, { note: long }),
        (random, seq, now) => madeEvent(random, seq, now, { more: { unknown: long } }),
        (random, seq, now) => ({ ...madeGarbage(random, seq, now), value: Buffer.from(long) }),
      ]
      await rounds(1, 5, async () => {
        for (const make of large) {
          await times(1, () => project.producer.send(1, make))
          await project.producer.send(400)
        }
      })
    })

    longFault('a tenth of the messages is no event', async ({ project, rounds, times }) => {
      await rounds(1, 5, async () => {
        await times(1, () => project.producer.send(2_000, tenthGarbage))
        await project.producer.sendTombstones(10)
      })
    })
  })
}

function table(lines: readonly Line[]): string {
  const rows = lines.map(({ fault, trials, produced, answers, isRight }) =>
    [fault, trials, produced, answers, isRight ? 0 : 'the test failed'].join(' | '),
  )
  const head = [
    'Fault | Trials | Messages | Answers compared | Differences',
    '--- | ---: | ---: | ---: | ---:',
  ]
  return [...head, ...rows, ''].map((row) => (row === '' ? '\n' : `| ${row} |\n`)).join('')
}
