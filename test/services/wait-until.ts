import { setTimeout as sleep } from 'node:timers/promises'

/**
 * How long the suite waits for anything: a limit that only what hangs meets, however busy the machine. No test has one
 * of its own, and `expect.poll` has this one.
 */
export const patienceMs = 150_000

/** Resolves once the condition holds; throws what the condition throws, or, after `patienceMs`, that it never held. */
export async function waitUntil(
  condition: () => boolean | Promise<boolean>,
  what: string | (() => string),
): Promise<void> {
  for (const until = performance.now() + patienceMs; !(await condition()); ) {
    if (performance.now() > until) throw new Error(`never so: ${typeof what === 'string' ? what : what()}`)
    await sleep(20)
  }
}

/** What the work returns once it does not throw; after `patienceMs` what it throws. */
export async function untilWorks<Result>(work: () => Promise<Result>): Promise<Result> {
  for (const until = performance.now() + patienceMs; ; ) {
    try {
      return await work()
    } catch (error) {
      if (performance.now() > until) throw error
    }
    await sleep(20)
  }
}
