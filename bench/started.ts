type End = () => unknown

const ends: End[] = []

/** What a bench has started, ended by `endAll`, the last first. Every process also ends by itself when the bench dies. */
export function endWith(...more: readonly End[]): void {
  ends.push(...more)
}

export async function endAll(): Promise<void> {
  for (const end of ends.splice(0).reverse()) await end()
}

/** A bench that is stopped by a signal leaves nothing that it started. */
export function endOnSignals(): void {
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.once(signal, () => void endAll().finally(() => process.exit(130)))
}
