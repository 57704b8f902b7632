/** Whether a call comes through: at most one of each key in `intervalMs`; for lines of logs. */
export function atMostEvery(intervalMs: number): (key: string) => boolean {
  const passedAt = new Map<string, number>()
  return (key) => {
    const now = performance.now()
    for (const [other, at] of passedAt) if (now - at >= intervalMs) passedAt.delete(other)
    if (passedAt.has(key)) return false
    passedAt.set(key, now)
    return true
  }
}
