/** `CustomerID` → `customer_id`, `Größe (cm)` → `grosse_cm`: a name of the registry; `x` where nothing is left. */
export function guessName(text: string): string {
  const name = text
    .replaceAll('ß', 'ss')
    .normalize('NFD')
    .replace(/\p{M}/gu, '')
    .replace(/([a-z0-9])([A-Z])/g, '$1_$2')
    .replace(/([A-Z])([A-Z][a-z])/g, '$1_$2')
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '_')
    .replace(/^_+|_+$/g, '')
    .slice(0, 50)
  return /^[a-z]/.test(name) ? name : `x${name === '' ? '' : `_${name}`}`
}

/** English enough for table names: `orders`, `companies`, `boxes`. */
export function singular(name: string): string {
  if (/ies$/.test(name)) return `${name.slice(0, -3)}y`
  if (/(?:ss|us|is|stats|news|data)$/.test(name)) return name
  if (/(?:x|z|ch|sh|ss)es$/.test(name)) return name.slice(0, -2)
  return name.replace(/s$/, '')
}

/** `order_lines` → `orderLines`: what a definition is exported as. */
export function constantName(registryName: string): string {
  return registryName.replace(/_+([a-z0-9])/g, (_, next: string) => next.toUpperCase())
}

/** `customer_id`, `CustomerKey`: a column that is called as keys are. */
export function isKeyName(column: string): boolean {
  return /(?:^|_)(?:id|key|uuid)$/.test(guessName(column))
}
