/** Edits (insert, delete, replace, swap of neighbours) that turn one word into the other. */
function editDistance(left: string, right: string): number {
  let beforePrevious: number[] = []
  let previous = Array.from({ length: right.length + 1 }, (_, index) => index)
  for (let i = 1; i <= left.length; i += 1) {
    const current = [i]
    for (let j = 1; j <= right.length; j += 1) {
      const cost = left[i - 1] === right[j - 1] ? 0 : 1
      let best = Math.min((previous[j] ?? 0) + 1, (current[j - 1] ?? 0) + 1, (previous[j - 1] ?? 0) + cost)
      if (i > 1 && j > 1 && left[i - 1] === right[j - 2] && left[i - 2] === right[j - 1]) {
        best = Math.min(best, (beforePrevious[j - 2] ?? 0) + 1)
      }
      current.push(best)
    }
    beforePrevious = previous
    previous = current
  }
  return previous[right.length] ?? 0
}

/** The known name that was probably meant; null where none is near. */
export function nearest(unknown: string, known: readonly string[]): string | null {
  const [first] = known
    .map((name) => ({ name, distance: editDistance(unknown, name) }))
    .sort((a, b) => a.distance - b.distance)
  return first && first.distance <= Math.max(2, Math.floor(unknown.length / 3)) ? first.name : null
}

/**
 * The end of a message about an unknown name: `did you mean "x"?` if a known name is near, else the known names
 * (at most ten of them).
 */
export function suggest(unknown: string, known: readonly string[]): string {
  if (known.length === 0) return 'there are none'
  const meant = nearest(unknown, known)
  if (meant !== null) return `did you mean ${JSON.stringify(meant)}?`
  const shown = known.slice(0, 10).map((name) => JSON.stringify(name))
  return `known: ${shown.join(', ')}${known.length > shown.length ? ', …' : ''}`
}
