/**
 * `customer_transaction_features` → `customerTransactionFeatures`. Underscores go, the letter behind one is raised;
 * a digit behind one stays (`total_30d` → `total30d`), so two names can meet: the registry refuses that.
 */
export function fieldName(registryName: string): string {
  return registryName.replace(/_+([a-z0-9])?/g, (_match, next: string | undefined) =>
    (next ?? '').toUpperCase(),
  )
}

/** As `fieldName`, first letter raised: the name of a type. */
export function typeName(registryName: string): string {
  return raiseFirst(fieldName(registryName))
}

/** A type named after a field with an explicit name: `myCustomer` → `MyCustomer`. */
export function raiseFirst(name: string): string {
  return name.charAt(0).toUpperCase() + name.slice(1)
}

/** English enough for field names: -s; -es after s, x, z, ch, sh; consonant + y gives -ies. Works on any case style. */
export function plural(name: string): string {
  if (/(?:s|x|z|ch|sh)$/i.test(name)) return `${name}es`
  if (/[^aeiou]y$/i.test(name)) return `${name.slice(0, -1)}ies`
  return `${name}s`
}
