import { Counter, Gauge, Histogram, type Registry } from 'prom-client'
import type { Clock, Micros } from '../definitions/timestamp.ts'
import type { StreamObserver } from '../ingest/stream-observer.ts'
import type { StreamView } from '../registry/registry.ts'

const secondsBuckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30]

/** What becomes of events, for `/metrics` of the gateway and of `featuregraph stream`. */
export function streamMetrics(register: Registry, clock: Clock): StreamObserver {
  const registers = [register]
  const counter = (name: string, label: string, help: string) =>
    new Counter({ name: `featuregraph_${name}`, help, labelNames: [label], registers })
  const seconds = (name: string, labelNames: string[], help: string) =>
    new Histogram({ name: `featuregraph_${name}`, help, labelNames, buckets: secondsBuckets, registers })
  const stored = counter('events_stored_total', 'source', 'Events that were stored by this process')
  const late = counter(
    'events_late_total',
    'source',
    'Events that were stored, and were older than every window of the streaming feature views of their source',
  )
  const deadLetters = counter(
    'events_quarantined_total',
    'source',
    'Events that were quarantined and messages that were dead-lettered: no event, from ahead, or against an expectation',
  )
  const applied = counter(
    'stream_applied_events_total',
    'view',
    "Events that were put into a view's tiles by this process",
  )
  const flushSeconds = seconds(
    'stream_flush_seconds',
    [],
    'From the arrival of a batch of messages to the commit of its offsets',
  )
  const applySeconds = seconds('stream_apply_seconds', ['view'], 'A round of events into the tiles of a view')
  const behind = new Gauge({
    name: 'featuregraph_stream_lag_messages',
    help: 'Messages of a partition of this process that are not read yet',
    labelNames: ['topic', 'partition'],
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
      stored.inc(labels, counts.stored)
      late.inc(labels, counts.late)
      deadLetters.inc(labels, counts.deadLetters)
    },
    behind: (topic, partition, messages) => behind.set({ topic, partition }, messages),
    flushed: (took) => flushSeconds.observe(took),
    applied(view, events, took) {
      applied.inc({ view: view.name }, events)
      applySeconds.observe({ view: view.name }, took)
    },
    caughtUp: (view, at) => watermarks.set(view, at),
  }
}
