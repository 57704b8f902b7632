/** How much a process held, sampled at equal times: the first fifth warms up and does not count. */
export function residentQuarters(bytes: readonly number[]): { readonly line: string; readonly grew: number } {
  const warm = bytes.slice(Math.floor(bytes.length / 5))
  const length = Math.floor(warm.length / 4)
  const mean = (some: readonly number[]): number => some.reduce((sum, one) => sum + one, 0) / some.length
  const quarters = [0, 1, 2, 3].map((quarter) => mean(warm.slice(quarter * length, (quarter + 1) * length)))
  const grew = (quarters[3] ?? Number.NaN) / (quarters[0] ?? Number.NaN)
  const shown = (one: number): string => `${(one / 1_048_576).toFixed(0)} MB`
  const line = `resident after warm-up, by quarter: ${quarters.map(shown).join(', ')}; most ${shown(Math.max(...warm))}; the last is ${grew.toFixed(2)} of the first (goal: within 1.10)`
  return { line, grew }
}
