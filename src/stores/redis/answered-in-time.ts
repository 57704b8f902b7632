/** The message of a command that was given up, as the client words it too. */
export const timedOut = 'Command timed out'

/**
 * Rejects with `timedOut` when the time is over and the socket has been read since. The client's own timer does not wait for
 * that: after a stall of this process it gives up a command whose answer has come and is not read yet.
 */
export function answeredInTime<T>(answer: Promise<T>, timeoutMs: number): Promise<T> {
  return new Promise((resolve, reject) => {
    // What `setImmediate` is given runs behind the sockets of the turn.
    const timer = setTimeout(() => setImmediate(() => reject(new Error(timedOut))), timeoutMs)
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
