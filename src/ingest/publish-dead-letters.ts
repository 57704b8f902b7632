import { StoreFailed } from '../errors.ts'
import type { EventSource } from '../registry/registry.ts'
import type { DeadLetter, DeadLetterStore } from '../stores/dead-letter-store.ts'
import type { EventStream } from '../stores/event-stream.ts'
import type { StreamLog } from './stream-log.ts'

interface PublishTargets {
  readonly deadLetters: Pick<DeadLetterStore, 'unpublished' | 'markPublished'>
  readonly stream: Pick<EventStream, 'describe' | 'publish'>
}

const lettersAtOnce = 500
const lookAgainMs = 60_000

/** Where the stream has the messages of a topic that were put aside; whoever wants them there makes it. */
function deadLetterTopic(topic: string): string {
  return `${topic}.dead-letters`
}

/**
 * Copies what was put aside to the topics of dead letters that there are, as it came, with the reason in the headers; each
 * at least once. To be called when something was put aside: calls do not overlap, and one that fails is made up for by the
 * next. A topic that is not there is looked for once a minute.
 */
export function deadLetterPublisher(
  { deadLetters, stream }: PublishTargets,
  sources: readonly EventSource[],
  log: StreamLog,
): () => Promise<void> {
  const topics = new Map(
    sources.flatMap(({ name, topic }) => (topic === null ? [] : [[name, topic] as const])),
  )
  const missingSince = new Map<string, number>()
  let running: Promise<void> | null = null
  let again = false

  async function publishAll(): Promise<void> {
    for (;;) {
      const letters = await deadLetters.unpublished(lettersAtOnce)
      let published = 0
      for (const [topic, own] of bySource(letters, topics)) {
        if (!(await isThere(topic))) continue
        await stream.publish(topic, own.map(messageOf))
        await deadLetters.markPublished(own.map(({ id }) => id))
        published += own.length
      }
      if (published === 0 || letters.length < lettersAtOnce) return
    }
  }

  async function isThere(topic: string): Promise<boolean> {
    if (performance.now() - (missingSince.get(topic) ?? Number.NEGATIVE_INFINITY) < lookAgainMs) return false
    const [found] = await stream.describe([topic])
    if (found) return true
    if (!missingSince.has(topic)) {
      log.info(
        `there is no topic "${topic}": what is put aside stands in Postgres only (featuregraph dead-letters list)`,
      )
    }
    missingSince.set(topic, performance.now())
    return false
  }

  async function run(): Promise<void> {
    do {
      again = false
      await publishAll().catch((error: unknown) => {
        if (!(error instanceof StoreFailed)) throw error
        log.warn(`dead letters were not published: ${error.message}`, error)
      })
    } while (again)
  }

  return () => {
    again = true
    running ??= run().finally(() => {
      running = null
    })
    return running
  }
}

function bySource(
  letters: readonly DeadLetter[],
  topics: ReadonlyMap<string, string>,
): ReadonlyMap<string, readonly DeadLetter[]> {
  const groups = new Map<string, DeadLetter[]>()
  for (const letter of letters) {
    const topic = topics.get(letter.source)
    if (topic === undefined) continue
    const name = deadLetterTopic(topic)
    groups.set(name, [...(groups.get(name) ?? []), letter])
  }
  return groups
}

function messageOf({ key, value, source, topic, partition, offset, reason }: DeadLetter) {
  const headers = { source, topic, partition: String(partition), offset: String(offset), reason }
  return { key, value, headers }
}
