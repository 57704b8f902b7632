import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'
import { expect, it } from 'vitest'

const root = fileURLToPath(new URL('../..', import.meta.url))

/** Words that readers of Feast, Kafka, Flink or dbt would have to guess, each with what is said instead. */
const old: readonly (readonly [RegExp, string])[] = [
  [/\b(?:tell|tells|told|telling)\b/i, 'report, show, return, state, log'],
  [/\bkept events?\b|\bevents (?:that are|that were|are) kept\b/i, 'stored events, the event log'],
  [/\b(?:is|are|was|were|been) level\b|\blevel with\b/i, 'caught up'],
  [/\b(?:carry|carries|carried)\b/i, 'materialize, have, write'],
  [/\baside\b/i, 'quarantined, dead-lettered'],
  [/\binsist/i, 'retry'],
  [/\bbur(?:y|ied)\b/i, 'write tombstones'],
  [/\banew\b/i, 'again, rebuilt, recomputed'],
  [/\bwhoever\b/i, 'the process that, the caller'],
  [/\bstreamed (?:feature )?views?\b/i, 'streaming feature view'],
]

const filesBelow = (folder: string, ending: RegExp): readonly string[] =>
  readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => ending.test(name))
    .map((name) => join(folder, name))

/** Texts of several words: messages, descriptions, log lines. */
function messagesOf(file: string): readonly string[] {
  const source = ts.createSourceFile(file, readFileSync(join(root, file), 'utf8'), ts.ScriptTarget.Latest)
  const found: string[] = []
  const visit = (node: ts.Node): void => {
    if (ts.isStringLiteralLike(node) || ts.isTemplateHead(node) || ts.isTemplateMiddleOrTemplateTail(node))
      found.push(node.text)
    ts.forEachChild(node, visit)
  }
  visit(source)
  return found.filter((text) => / /.test(text.trim()))
}

it('messages, descriptions and docs speak in the words of the field', () => {
  const pages = [
    ...['README.md', 'CONTRIBUTING.md', 'schema/schema.graphql', ...filesBelow('docs', /\.md$/)],
    ...['clients/python/README.md', ...filesBelow('clients/python/src', /\.py$/)],
  ]
  const texts = [
    ...pages.flatMap((file) =>
      readFileSync(join(root, file), 'utf8')
        .split('\n')
        .map((text) => ({ file, text })),
    ),
    ...filesBelow('src', /\.tsx?$/).flatMap((file) => messagesOf(file).map((text) => ({ file, text }))),
  ]
  const found = texts.flatMap(({ file, text }) =>
    old.flatMap(([words, instead]) => {
      const [word] = words.exec(text) ?? []
      return word === undefined ? [] : [`${file}: "${word}" (${instead}) in: ${text.trim().slice(0, 120)}`]
    }),
  )
  expect(found).toEqual([])
})
