import { readdirSync, readlinkSync } from 'node:fs'
import { availableParallelism, setPriority } from 'node:os'
import { setFlagsFromString } from 'node:v8'

/**
 * A thirtieth of the main thread's weight, where both want a processor: spines beside online load get 0.8 of their rate alone.
 * On a single processor that would be next to nothing: a third.
 */
const niceness = availableParallelism() > 1 ? 15 : 5
/** With more there is one for V8's helpers. */
const fewProcessors = 2

// Where processors are few, online reads come first. Linux knows threads as processes; elsewhere they share alike.

/** To be called by a thread that answers large requests. */
export function giveWay(): void {
  try {
    const [, thread] = /\/task\/(\d+)$/.exec(readlinkSync('/proc/thread-self')) ?? []
    if (thread !== undefined) setPriority(Number(thread), niceness)
  } catch {
    // As it was.
  }
}

/**
 * To be called by the main thread, before there are others that answer: V8's helpers give way too. They collect the garbage of
 * all threads, and with the main thread's weight they took its processor for that of a thread which itself gave way. Where
 * there are few processors the main thread collects its young objects alone, so that it never waits for a helper that has none.
 */
export function haveHelpersGiveWay(): void {
  if (availableParallelism() <= fewProcessors) setFlagsFromString('--no-parallel-scavenge')
  try {
    for (const thread of readdirSync('/proc/self/task'))
      if (Number(thread) !== process.pid) setPriority(Number(thread), niceness)
  } catch {
    // As they were.
  }
}
