const nullSymbol = '\u2400'

/** Text has no U+0000 in Postgres: `␀` stands for it. */
export function keepableText(text: string): string {
  return text.replaceAll('\0', nullSymbol)
}

/** jsonb has neither U+0000 (`␀` stands for it) nor lone surrogates (U+FFFD). */
export function keepableJson(content: unknown): string {
  return JSON.stringify(content, (_, value: unknown) =>
    typeof value === 'string' ? keepableText(value.toWellFormed()) : value,
  )
}
