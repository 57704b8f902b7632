/** Of one value that comes from outside; one that is larger would be read with every answer that has it. */
export const maxValueBytes = 1_048_576

/** As it is stored, about: text by its UTF-8, numbers by eight. */
export function valueBytes(value: unknown): number {
  if (typeof value === 'string')
    return value.length > maxValueBytes / 4 ? Buffer.byteLength(value) : value.length
  if (value instanceof Uint8Array) return value.length
  if (!Array.isArray(value)) return 8
  let bytes = 0
  for (const item of value) bytes += valueBytes(item)
  return bytes
}
