const shownCharacters = 200

/** A message is anybody's: what a terminal would take as a command is not shown, nor more than fits a line. */
export function shownText(text: string): string {
  const short = text.length > shownCharacters ? `${text.slice(0, shownCharacters)}…` : text
  return short.replace(/\p{C}/gu, '·')
}
