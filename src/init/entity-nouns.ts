/**
 * What features are usually of, in the singular: a table that is called so holds these, and a column that is called so says
 * which one. Guesses only, beside names that end in `_id`.
 */
export const entityNouns: ReadonlySet<string> = new Set([
  ...['account', 'buyer', 'card', 'client', 'customer', 'device', 'driver', 'employee', 'guest', 'machine'],
  ...['member', 'merchant', 'passenger', 'patient', 'player', 'product', 'rider', 'seller', 'sensor', 'shop'],
  ...['sku', 'store', 'student', 'subscriber', 'supplier', 'tenant', 'user', 'vehicle', 'vendor', 'visitor'],
])
