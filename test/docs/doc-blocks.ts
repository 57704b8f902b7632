import { readFileSync } from 'node:fs'

/** The texts of a page's code blocks in one language, in order. */
export function blocksOf(page: string, language: string): readonly string[] {
  const text = readFileSync(new URL(`../../${page}`, import.meta.url), 'utf8')
  return [...text.matchAll(new RegExp(`\`\`\`${language}\\n([\\s\\S]*?)\`\`\``, 'g'))].map(
    ([, block = '']) => block,
  )
}

interface Command {
  readonly command: string
  /** By name, what a comment says stands in it. */
  readonly files: ReadonlyMap<string, string>
  /** Lines that a comment says are answered; none: it says nothing. */
  readonly answer: readonly string[]
}

/** A block's command, with the files and the answer in the comments behind it: `# rows.ndjson: …`, `# answer: …`. */
export function commandOf(block: string): Command {
  const lines = block.trimEnd().split('\n')
  const files = new Map<string, string>()
  const answer: string[] = []
  for (const line of lines) {
    const [, name = '', text = ''] = /^#\s+(?:([a-z.]+):\s+)?(.*)$/.exec(line) ?? []
    if (name === 'answer' || (name === '' && text !== '' && answer.length > 0)) answer.push(text)
    else if (name !== '') files.set(name, `${text}\n`)
  }
  return { command: lines.filter((line) => !line.startsWith('#')).join('\n'), files, answer }
}
