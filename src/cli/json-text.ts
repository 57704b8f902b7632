/** One JSON document on standard output, indented; names in camelCase, times as RFC 3339. */
export function jsonText(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`
}
