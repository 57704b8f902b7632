/** The message of a command that was given up, as the client words it too. */
export const timedOut = 'Command timed out'

/** A timer that is late by more than this share of its time says that the process was busy: nothing was sent or read meanwhile. */
const stalledShare = 0.2

/**
 * Rejects with `timedOut` when the time is over in which the process could have read the answer. The client's own timer goes by
 * the clock: after a stall of this process it gives up commands that have not left yet, or whose answers have come.
 */
export function answeredInTime<T>(answer: Promise<T>, timeoutMs: number): Promise<T> {
  return new Promise((resolve, reject) => {
    let due = performance.now() + timeoutMs
    const onTimer = (): void => {
      const now = performance.now()
      if (now - due > stalledShare * timeoutMs) {
        due = now + timeoutMs
        timer = setTimeout(onTimer, timeoutMs)
      } else reject(new Error(timedOut))
    }
    let timer = setTimeout(onTimer, timeoutMs)
    answer.then(
      (value) => {
        clearTimeout(timer)
        resolve(value)
      },
      (error: unknown) => {
        clearTimeout(timer)
        reject(error)
      },
    )
  })
}
