import { readlinkSync } from 'node:fs'
import { setPriority } from 'node:os'

/** A third of the main thread's weight, where both want a processor. */
const niceness = 5

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
