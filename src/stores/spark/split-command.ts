/**
 * The words of a command line as a shell reads them: parted by blanks, kept together by quotes; a backslash takes the next
 * character as it is, but within single quotes. Nothing is expanded. Null where a quote is not closed.
 */
export function splitCommand(line: string): readonly string[] | null {
  const words: string[] = []
  let word: string | null = null
  let quote: string | null = null
  for (let index = 0; index < line.length; index += 1) {
    const character = line[index] ?? ''
    if (character === '\\' && quote !== "'") {
      index += 1
      word = (word ?? '') + (line[index] ?? '')
    } else if (quote !== null) {
      if (character === quote) quote = null
      else word = (word ?? '') + character
    } else if (character === '"' || character === "'") {
      quote = character
      word ??= ''
    } else if (/\s/.test(character)) {
      if (word !== null) words.push(word)
      word = null
    } else word = (word ?? '') + character
  }
  if (quote !== null) return null
  return word === null ? words : [...words, word]
}
