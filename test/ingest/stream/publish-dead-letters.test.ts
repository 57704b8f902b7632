import { eventSource } from 'featuregraph'
import { expect, it } from 'vitest'
import { StoreFailed } from '../../../src/errors.ts'
import { deadLetterPublisher } from '../../../src/ingest/stream/publish-dead-letters.ts'
import { buildRegistry } from '../../../src/registry/build-registry.ts'
import type { DeadLetter } from '../../../src/stores/dead-letter-store.ts'

const fields = { id: 'int64' } as const
const { eventSources } = buildRegistry(
  ['a', 'b'].map((name) => ({
    path: name,
    value: eventSource(name, { topic: `topic_${name}`, eventTimestamp: 'at', fields }),
  })),
)

function letter(id: number, source: string, bytes = 1): DeadLetter {
  const place = { topic: `topic_${source}`, partition: 0, offset: id }
  return { id, source, ...place, key: null, value: Buffer.alloc(bytes), reason: 'none', recordedAt: 0 }
}

/** Letters, the topics that there are, and what becomes of both; a message has at most 100 bytes. */
function world(letters: readonly DeadLetter[], topics: readonly string[]) {
  const marked = new Set<number>()
  const published = new Map<number, string>()
  const warnings: string[] = []
  const publish = deadLetterPublisher(
    {
      deadLetters: {
        unpublished: async (sources, first) =>
          letters.filter(({ id, source }) => sources.includes(source) && !marked.has(id)).slice(0, first),
        markPublished: async (ids) => {
          for (const id of ids) marked.add(id)
        },
      },
      stream: {
        describe: async (names) =>
          names.map((name) => (topics.includes(name) ? { id: name, partitions: [] } : null)),
        async publish(topic, messages) {
          if (messages.some(({ value }) => value.length > 100)) throw new StoreFailed('too large')
          for (const { headers } of messages) published.set(Number(headers?.['offset']), topic)
        },
      },
    },
    eventSources,
    { info: () => {}, warn: (line) => warnings.push(line) },
  )
  return { publish, published, marked, warnings }
}

it('publishes the letters of every source that has a topic for them, however many others have none', async () => {
  const letters = [...Array.from({ length: 1_200 }, (_, index) => letter(index, 'a')), letter(2_000, 'b')]
  const { publish, published } = world(letters, ['topic_b.dead-letters'])
  await publish()
  expect([...published]).toEqual([[2_000, 'topic_b.dead-letters']])
})

it('leaves a letter that is too large in the store, and publishes those behind it', async () => {
  const letters = [letter(1, 'a'), letter(2, 'a', 101), letter(3, 'a')]
  const { publish, published, marked, warnings } = world(letters, ['topic_a.dead-letters'])
  await publish()
  expect([...published.keys()].sort()).toEqual([1, 3])
  expect([...marked].sort()).toEqual([1, 2, 3])
  expect(warnings).toEqual([
    'the topic "topic_a.dead-letters" does not take 1 letters; they stand in Postgres only',
  ])
})
