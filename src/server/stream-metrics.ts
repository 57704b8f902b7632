import { Counter, Gauge, Histogram, type Registry } from 'prom-client'
import type { Clock, Micros } from '../definitions/timestamp.ts'
import type { StreamObserver } from '../ingest/stream-observer.ts'
import type { StreamView } from '../registry/registry.ts'

const secondsBuckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30]

/** What becomes of events, for `/metrics` of the gateway and of `featuregraph stream`. */
export function streamMetrics(register: Registry, clock: Clock): StreamObserver {
  const registers = [register]
  const kept = new Counter({
    name: 'featuregraph_events_kept_total',
    help: 'Events that were kept by this process',
    labelNames: ['source'],
    registers,
  })
  const late = new Counter({
    name: 'featuregraph_events_late_total',
    help: 'Events that were kept, and were older than every window of the streamed views of their source',
    labelNames: ['source'],
    registers,
  })
  const deadLetters = new Counter({
    name: 'featuregraph_events_aside_total',
    help: 'Events and messages that were put aside: no event, from ahead, or against an expectation',
    labelNames: ['source'],
    registers,
  })
  const behind = new Gauge({
    name: 'featuregraph_stream_lag_messages',
    help: 'Messages of a partition of this process that are not read yet',
    labelNames: ['topic', 'partition'],
    registers,
  })
  const flushSeconds = new Histogram({
    name: 'featuregraph_stream_flush_seconds',
    help: 'From the first look at a batch of messages to the commit of its offsets',
    buckets: secondsBuckets,
    registers,
  })
  const applied = new Counter({
    name: 'featuregraph_stream_applied_events_total',
    help: "Events that were put into a view's tiles by this process",
    labelNames: ['view'],
    registers,
  })
  const applySeconds = new Histogram({
    name: 'featuregraph_stream_apply_seconds',
    help: 'A round of events into the tiles of a view',
    labelNames: ['view'],
    buckets: secondsBuckets,
    registers,
  })
  const watermarks = new Map<StreamView, Micros>()
  new Gauge({
    name: 'featuregraph_stream_lag_seconds',
    help: 'How far the tiles of a view are behind what has happened in its stream',
    labelNames: ['view'],
    registers,
    collect() {
      for (const [{ name }, at] of watermarks) this.set({ view: name }, Math.max(0, clock() - at) / 1_000_000)
    },
  })
  return {
    processed(source, counts) {
      const labels = { source: source.name }
      kept.inc(labels, counts.kept)
      late.inc(labels, counts.late)
      deadLetters.inc(labels, counts.deadLetters)
    },
    behind: (topic, partition, messages) => behind.set({ topic, partition }, messages),
    flushed: (seconds) => flushSeconds.observe(seconds),
    applied(view, events, seconds) {
      applied.inc({ view: view.name }, events)
      applySeconds.observe({ view: view.name }, seconds)
    },
    level: (view, at) => watermarks.set(view, at),
  }
}
