import { StoreFailed } from '../../errors.ts'
import { deadLetterTopic } from '../../registry/dead-letter-topic.ts'
import type { EventSource } from '../../registry/registry.ts'
import type { DeadLetter, DeadLetterStore } from '../../stores/dead-letter-store.ts'
import type { EventStream } from '../../stores/event-stream.ts'
import type { RunLog } from '../run-log.ts'

interface PublishTargets {
  readonly deadLetters: Pick<DeadLetterStore, 'unpublished' | 'markPublished'>
  readonly stream: Pick<EventStream, 'describe' | 'publish'>
}

const lettersAtOnce = 500
const checkAgainMs = 60_000

/**
 * Copies what was dead-lettered to the topics of dead letters that there are, as it came, with the reason in the headers; each
 * at least once. To be called when something was dead-lettered: calls do not overlap, and one that fails is made up for by the
 * next. A topic that is not there is checked for once a minute.
 */
export function deadLetterPublisher(
  { deadLetters, stream }: PublishTargets,
  sources: readonly EventSource[],
  log: RunLog,
): () => Promise<void> {
  const missingSince = new Map<string, number>()
  let running: Promise<void> | null = null
  let again = false

  async function publishAll(): Promise<void> {
    for (const [topic, names] of sourcesOf(sources)) {
      if (!(await isThere(topic))) continue
      for (;;) {
        const letters = await deadLetters.unpublished(names, lettersAtOnce)
        const published = await publishSome(topic, letters)
        await deadLetters.markPublished(published)
        if (published.length === 0 || letters.length < lettersAtOnce) break
      }
    }
  }

  /** Answers the ids of those that need not be read again. */
  async function publishSome(topic: string, letters: readonly DeadLetter[]): Promise<readonly number[]> {
    const ids = letters.map(({ id }) => id)
    if (await tryPublish(topic, letters)) return ids
    // One may be too large for the topic: it must not hold up the others.
    let refused = 0
    for (const letter of letters) if (!(await tryPublish(topic, [letter]))) refused += 1
    if (refused === letters.length) return []
    const stay = new StoreFailed(
      `the topic "${topic}" does not take ${refused} letters; they stand in Postgres only`,
    )
    if (refused > 0) log.warn(stay.message, stay)
    return ids
  }

  async function tryPublish(topic: string, letters: readonly DeadLetter[]): Promise<boolean> {
    if (letters.length === 0) return true
    return await stream.publish(topic, letters.map(messageOf)).then(
      () => true,
      (error: unknown) => {
        if (!(error instanceof StoreFailed)) throw error
        return false
      },
    )
  }

  async function isThere(topic: string): Promise<boolean> {
    if (performance.now() - (missingSince.get(topic) ?? Number.NEGATIVE_INFINITY) < checkAgainMs) return false
    const [found] = await stream.describe([topic])
    if (found) return true
    if (!missingSince.has(topic)) {
      log.info(
        `there is no topic "${topic}": dead letters stand in Postgres only (featuregraph quarantine show)`,
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

/** By topic of dead letters. */
function sourcesOf(sources: readonly EventSource[]): ReadonlyMap<string, readonly string[]> {
  const names = new Map<string, string[]>()
  for (const { name, topic } of sources) {
    if (topic === null) continue
    const dead = deadLetterTopic(topic)
    names.set(dead, [...(names.get(dead) ?? []), name])
  }
  return names
}

function messageOf({ key, value, source, topic, partition, offset, reason }: DeadLetter) {
  const headers = { source, topic, partition: String(partition), offset: String(offset), reason }
  return { key, value, headers }
}
