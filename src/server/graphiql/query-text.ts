/** So many characters fit the query editor of a page of 1,400 px. */
export const editorWidth = 55

/** Paragraphs as lines of a comment that are not cut. */
export function comment(...paragraphs: readonly string[]): string {
  return paragraphs
    .map((text) =>
      wrapped(text.split(' '), editorWidth - 2)
        .map((line) => `# ${line}`)
        .join('\n'),
    )
    .join('\n#\n')
}

/** `head(one, other)`, or with a line each where that would be too long. */
export function withArguments(head: string, given: readonly string[], indent: string, rest: string): string {
  const line = `${indent}${head}${given.length === 0 ? '' : `(${given.join(', ')})`}${rest}`
  if (line.length <= editorWidth || given.length === 0) return line
  return [
    `${indent}${head}(`,
    ...given.map((argument) => `${indent}  ${argument}`),
    `${indent})${rest}`,
  ].join('\n')
}

/** Fields of leaves on one line, or on lines of their own within the braces where that would be too long. */
export function selection(field: string, fields: readonly string[], indent: string): string {
  const line = `${indent}${field} { ${fields.join(' ')} }`
  if (line.length <= editorWidth) return line
  const inner = wrapped(fields, editorWidth - indent.length - 2).map((each) => `${indent}  ${each}`)
  return [`${indent}${field} {`, ...inner, `${indent}}`].join('\n')
}

function wrapped(words: readonly string[], width: number): readonly string[] {
  const lines: string[] = []
  let line = ''
  for (const word of words) {
    if (line !== '' && line.length + 1 + word.length > width) {
      lines.push(line)
      line = ''
    }
    line = line === '' ? word : `${line} ${word}`
  }
  return [...lines, line]
}
