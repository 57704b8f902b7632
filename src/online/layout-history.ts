import { setTimeout as sleep } from 'node:timers/promises'
import type { KnownLayout, RegistryStore } from '../stores/registry-store.ts'

/** Layouts by fingerprint that were ever written, as of the last time that they were read. */
export interface LayoutHistory {
  readonly find: (fingerprint: number) => KnownLayout | null
  /** The registry store was asked for it, and has no such layout: there is nothing to wait for. */
  readonly isUnrecorded: (fingerprint: number) => boolean
  /**
   * Reads the history again for layouts that a newer process has begun to write; it records them before their first row.
   * Callers share one reading, of which there is at most one a second; never rejects, and takes no longer than the signal and
   * two seconds allow.
   */
  readonly learn: (fingerprints: ReadonlySet<number>, signal: AbortSignal) => Promise<void>
}

const readEveryMs = 1_000
const patienceMs = 2_000
/** Damaged bytes may hold any number. */
const maxUnrecorded = 10_000

/** Rejects with `StoreFailed`. */
export async function openLayoutHistory(store: Pick<RegistryStore, 'layouts'>): Promise<LayoutHistory> {
  let known = byFingerprint(await store.layouts())
  const unrecorded = new Set<number>()
  let readAt = Number.NEGATIVE_INFINITY
  let running: Promise<boolean> | null = null
  let following: Promise<boolean> | null = null

  /** Whether it could be read. */
  function read(): Promise<boolean> {
    readAt = performance.now()
    running = store
      .layouts()
      .then((layouts) => {
        known = byFingerprint(layouts)
        return true
      })
      .catch(() => false)
      .finally(() => {
        running = null
      })
    return running
  }

  /** A reading that begins after this call, or at it. */
  function nextReading(): Promise<boolean> {
    const waitMs = readAt + readEveryMs - performance.now()
    if (following === null && waitMs <= 0) return read()
    following ??= sleep(Math.max(0, waitMs), undefined, { ref: false }).then(() => {
      following = null
      return read()
    })
    return following
  }

  async function learnAll(fingerprints: ReadonlySet<number>): Promise<void> {
    const isMissing = (one: number): boolean => !known.has(one)
    // It may have begun before the layouts were recorded.
    await running
    if (![...fingerprints].some(isMissing) || !(await nextReading())) return
    if (unrecorded.size > maxUnrecorded) unrecorded.clear()
    for (const one of fingerprints) if (isMissing(one)) unrecorded.add(one)
  }

  return {
    find: (fingerprint) => known.get(fingerprint) ?? null,
    isUnrecorded: (fingerprint) => unrecorded.has(fingerprint),
    async learn(fingerprints, signal) {
      const over = new AbortController()
      const end = AbortSignal.any([signal, over.signal])
      const late = sleep(patienceMs, undefined, { signal: end, ref: false }).catch(() => {})
      await Promise.race([learnAll(fingerprints), late])
      over.abort()
    },
  }
}

function byFingerprint(layouts: readonly KnownLayout[]): ReadonlyMap<number, KnownLayout> {
  return new Map(layouts.map((layout) => [layout.fingerprint, layout]))
}
