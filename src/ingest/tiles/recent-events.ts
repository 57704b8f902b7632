import type { StoredEvent } from '../../stores/event-log.ts'
import type { EventStore } from '../../stores/event-store.ts'

/** A piece of a partition, all that was processed in it from `from` to before `next`. */
interface Piece {
  readonly from: number
  readonly next: number
  readonly events: readonly StoredEvent[]
}

/**
 * The event store, which remembers what was stored through it: who applies events in the same process need not have them read
 * back. Of the newest about `maxBytes` are held; a deletion makes all be forgotten, as soon as the deletions' mark is
 * read.
 */
export function rememberingEventStore(store: EventStore, maxBytes: number): EventStore {
  const pieces = new Map<string, Piece[]>()
  let order: { readonly name: string; readonly bytes: number }[] = []
  let held = 0
  let deletionMark: string | null = null

  function remember(name: string, piece: Piece): void {
    const own = pieces.get(name) ?? []
    own.push(piece)
    pieces.set(name, own)
    const bytes = piece.events.reduce((sum, event) => sum + bytesOf(event), 0)
    order.push({ name, bytes })
    held += bytes
    while (held > maxBytes) {
      const oldest = order.shift()
      if (!oldest) return
      pieces.get(oldest.name)?.shift()
      held -= oldest.bytes
    }
  }

  function forget(): void {
    pieces.clear()
    order = []
    held = 0
  }

  return {
    ...store,
    async storeMessages(source, topic, messages, storedAt) {
      const markBefore = deletionMark
      const outcomes = await store.storeMessages(source, topic, messages, storedAt)
      // A deletion may have waited for these, and taken some of them away already.
      if (deletionMark !== markBefore) return outcomes
      const judged = new Map<number, { from: number; next: number; events: StoredEvent[] }>()
      const widen = (partition: number, offset: number) => {
        const piece = judged.get(partition) ?? { from: offset, next: offset + 1, events: [] }
        piece.from = Math.min(piece.from, offset)
        piece.next = Math.max(piece.next, offset + 1)
        judged.set(partition, piece)
        return piece
      }
      messages.events.forEach(({ partition, offset, eventTimestamp, eventId, values }, index) => {
        const outcome = outcomes.events[index]
        if (outcome === 'PROCESSED') return
        const piece = widen(partition, offset)
        if (outcome === 'STORED')
          piece.events.push({
            topic,
            partition,
            offset,
            eventTimestamp,
            storedAt: outcomes.storedAt,
            eventId,
            values,
          })
      })
      messages.deadLetters.forEach(({ partition, offset }, index) => {
        if (outcomes.deadLetters[index] !== 'PROCESSED') widen(partition, offset)
      })
      for (const [partition, piece] of judged) remember(`${source.name} ${partition} ${topic}`, piece)
      return outcomes
    },
    async deletionMark() {
      const mark = await store.deletionMark()
      if (mark !== deletionMark) forget()
      deletionMark = mark
      return mark
    },
    async read(source, position, options) {
      const { topic, partition, offset } = position
      const piece = pieces
        .get(`${source.name} ${partition} ${topic}`)
        ?.find(({ from, next }) => from <= offset && offset < next)
      if (!piece) return await store.read(source, position, options)
      const { since, limit } = options
      const events = piece.events.filter(
        (event) => event.offset >= offset && (since === null || event.eventTimestamp >= since),
      )
      return events.length > limit
        ? { events: events.slice(0, limit), next: (events[limit - 1]?.offset ?? offset) + 1 }
        : { events, next: piece.next }
    },
  }
}

/** About what an event takes in memory. */
function bytesOf({ values }: StoredEvent): number {
  let bytes = 200
  for (const value of values) {
    if (typeof value === 'string') bytes += 2 * value.length
    else if (value instanceof Uint8Array) bytes += value.length
  }
  return bytes
}
