/** Where the online store is in its history: `tick` grows for ever, also from epoch to epoch. */
export interface Guard {
  readonly epoch: number
  readonly tick: number
}

/** `12:3456` */
export function guardText({ epoch, tick }: Guard): string {
  return `${epoch}:${tick}`
}

/** Null: no guard, or one that is not understood, which is as good as none. */
export function parseGuard(text: string | null): Guard | null {
  const parts = text === null ? null : /^(\d{1,15}):(\d{1,15})$/.exec(text)
  return parts ? { epoch: Number(parts[1]), tick: Number(parts[2]) } : null
}
