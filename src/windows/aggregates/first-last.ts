import type { ScalarValue } from '../../definitions/value.ts'
import type { Mergeable } from '../sliding-window.ts'
import { type Aggregate, type AggregateDefinition, type EventPlace, exactResult } from './aggregate.ts'
import { coded, optional, type StateCodec, valueCodec } from './event-aggregate.ts'
import { exactly, merged, valueCell } from './span-aggregate.ts'

interface PlacedValue {
  readonly place: EventPlace
  readonly value: ScalarValue
}

/** Above 0 when the left event comes later: by timestamp, topic (code units), partition, offset. */
export function compareEventPlaces(left: EventPlace, right: EventPlace): number {
  if (left.timestamp !== right.timestamp) return left.timestamp - right.timestamp
  if (left.topic !== right.topic) return left.topic < right.topic ? -1 : 1
  if (left.partition !== right.partition) return left.partition - right.partition
  return left.offset - right.offset
}

function atEnd(sign: 1 | -1): Aggregate<PlacedValue | null> {
  const pick = (left: PlacedValue | null, right: PlacedValue | null): PlacedValue | null => {
    if (left === null) return right
    if (right === null) return left
    return sign * compareEventPlaces(right.place, left.place) > 0 ? right : left
  }
  return {
    empty: () => null,
    add: (state, value, place) => (value === null ? state : pick(state, { value, place })),
    merge: pick,
    finalise: (state) => exactResult(state?.value ?? null),
  }
}

/** The value of the earliest and the latest event that has one. */
export const first = atEnd(-1)
export const last = atEnd(1)

/** With the whole place: what is merged may come from several topics and partitions. */
function placedCodec(codec: StateCodec<ScalarValue>): StateCodec<PlacedValue> {
  return {
    write(out, { place, value }) {
      out.float(place.timestamp)
      out.text(place.topic)
      out.count(place.partition)
      out.count(place.offset)
      codec.write(out, value)
    },
    read(input) {
      const place = {
        timestamp: input.float(),
        topic: input.text(),
        partition: input.count(),
        offset: input.count(),
      }
      return { place, value: codec.read(input) }
    },
  }
}

function endAggregate(
  events: Aggregate<PlacedValue | null>,
  mergeSpans: Mergeable<ScalarValue | null>['merge'],
): AggregateDefinition {
  return {
    resultType: (field) => field,
    emptyValue: null,
    ofEvents: (field) => coded(events, optional(placedCodec(valueCodec(field)))),
    ofSpans(field) {
      const { type, read } = valueCell(field)
      const spans = merged(
        [type],
        { empty: () => null, merge: mergeSpans, add: (_, value) => value },
        read,
        exactly,
      )
      return {
        ...spans,
        // Within a span events may come in any order.
        add: (state, value, place) => events.add((state ?? null) as PlacedValue | null, value, place),
        slideStates: (numbers, states, windows) =>
          spans.slideStates(
            numbers,
            states.map((state) => (state as PlacedValue | undefined)?.value),
            windows,
          ),
      }
    },
  }
}

export const firstAggregate = endAggregate(first, (earlier, later) => earlier ?? later)
export const lastAggregate = endAggregate(last, (earlier, later) => later ?? earlier)
