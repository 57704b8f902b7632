import { eventStreamContract } from '../contract/event-stream.ts'
import { memoryEventStream } from './memory-event-stream.ts'

eventStreamContract('memory', async () => {
  const stream = memoryEventStream(() => Date.now() * 1_000)
  return {
    stream,
    createTopic: async (name, partitions) => stream.createTopic(name, partitions),
    deleteTopic: async (name) => stream.deleteTopic(name),
    close: stream.close,
  }
})
