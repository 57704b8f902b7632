/** What callers name a part by. */
export function partName(part: number, format: string): string {
  return `part-${String(part).padStart(5, '0')}.${format}`
}
