import type { EndTurn } from '../../graph/work.ts'
import type { FromThread } from './thread-messages.ts'

export interface ThreadTurns {
  /** A turn of the main thread's bounds for work of this caller; null: there is none now. */
  readonly take: (payer: string) => Promise<EndTurn | null>
  /** What the main thread says of a turn that was asked for. */
  readonly answered: (turn: number, isGiven: boolean) => void
}

/** In a thread: turns of the bounds that all threads share, which the main thread keeps. */
export function threadTurns(send: (message: FromThread) => void): ThreadTurns {
  const asked = new Map<number, (isGiven: boolean) => void>()
  let last = 0
  return {
    async take(payer) {
      last += 1
      const turn = last
      const isGiven = await new Promise<boolean>((resolve) => {
        asked.set(turn, resolve)
        send({ kind: 'turnAsked', turn, payer })
      })
      return isGiven ? () => send({ kind: 'turnEnded', turn }) : null
    },
    answered(turn, isGiven) {
      asked.get(turn)?.(isGiven)
      asked.delete(turn)
    },
  }
}
