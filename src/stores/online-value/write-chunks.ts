/**
 * Writes cut into chunks of at most `size`, in order, no key twice in a chunk: a compare-and-set statement compares
 * every row of its batch with what was stored before, so two rows of one key must come one after the other.
 */
export function writeChunks<Write extends { readonly key: string }>(
  writes: readonly Write[],
  size: number,
): readonly (readonly Write[])[] {
  const chunks: Write[][] = []
  let chunk: Write[] = []
  let keys = new Set<string>()
  for (const write of writes) {
    if (chunk.length === size || keys.has(write.key)) {
      chunks.push(chunk)
      chunk = []
      keys = new Set()
    }
    chunk.push(write)
    keys.add(write.key)
  }
  if (chunk.length > 0) chunks.push(chunk)
  return chunks
}
