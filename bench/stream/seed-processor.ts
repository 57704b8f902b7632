import { messageOf } from '../ingest/bench.ts'
import { pythonPackages, runPython } from '../ingest/python.ts'

export interface SeedRun {
  readonly version: string
  readonly seconds: number
  readonly cpuSeconds: number
  readonly events: number
}

export interface SeedTask {
  readonly bootstrap: string
  readonly topic: string
  readonly redisPort: string
  readonly events: number
}

/** The seed's streaming processor (`seed_processor.py`), each run a process of its own; or why it cannot be had. */
export async function openSeedProcessor(): Promise<
  ((task: SeedTask) => Promise<SeedRun>) | { readonly reason: string }
> {
  try {
    const requirements = ['confluent-kafka', 'redis']
    const packages = await pythonPackages('confluent-kafka-redis-py', requirements, { alone: false })
    return async ({ bootstrap, topic, redisPort, events }) => {
      const args = [bootstrap, topic, redisPort, String(events)]
      const printed = await runPython(packages, '../stream/seed_processor.py', ...args)
      return JSON.parse(printed) as SeedRun
    }
  } catch (error) {
    return { reason: `its packages could not be installed (${messageOf(error).split('\n')[0]})` }
  }
}
