export interface Pairs<Definition> {
  /** In the order of today's; null: it is new. */
  readonly pairs: readonly (readonly [before: Definition | null, after: Definition])[]
  readonly removed: readonly Definition[]
}

/** What was called otherwise and has the same id is the same; else what has the same name. */
export function pairById<Definition extends { readonly name: string }>(
  before: readonly Definition[],
  after: readonly Definition[],
  idOf: (definition: Definition) => string,
): Pairs<Definition> {
  const found = new Map<Definition, Definition>()
  const left = new Set(before)
  const take = (of: (one: Definition) => string): void => {
    const free = new Map([...left].map((one) => [of(one), one]))
    for (const today of after) {
      const old = free.get(of(today))
      if (found.has(today) || old === undefined || !left.delete(old)) continue
      found.set(today, old)
    }
  }
  take(idOf)
  take(({ name }) => name)
  return { pairs: after.map((today) => [found.get(today) ?? null, today] as const), removed: [...left] }
}
