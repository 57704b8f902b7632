/** The one way by which a name enters SQL text. */
export function quoteIdentifier(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}

/** `sales.orders` → `"sales"."orders"`. */
export function quoteTable(name: string): string {
  return name.split('.').map(quoteIdentifier).join('.')
}
