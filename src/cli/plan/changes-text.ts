import type { SchemaChange } from '../../graph/breaking-changes.ts'
import type { Broken, Change } from '../../registry/versions/changes.ts'
import { type Paint, paintIf } from '../paint.ts'
import { shownText } from '../shown-text.ts'
import type { Comparison } from './compare-versions.ts'

/** So many lines of each part are shown. */
const shownLines = 500

const marks: Readonly<Record<Change['how'], readonly [mark: string, colour: Paint]>> = {
  added: ['+', 'green'],
  changed: ['~', 'yellow'],
  renamed: ['~', 'yellow'],
  removed: ['-', 'red'],
}

const words: Readonly<Record<Broken, string>> = {
  graphql: 'GraphQL clients',
  services: 'feature services',
  models: 'trained models',
  rows: 'stored rows',
}

/** `GraphQL clients and trained models` */
export function brokenWords(breaks: readonly Broken[]): string {
  const all = breaks.map((one) => words[one])
  return all.length < 2 ? all.join('') : `${all.slice(0, -1).join(', ')} and ${all.at(-1)}`
}

/** The changes by definition, then what GraphQL clients meet; an empty text for none. */
export function changesText({ changes, schema }: Comparison, coloured: boolean): string {
  return [
    ...firstOf(changeLines(changes, coloured), 'lines'),
    ...(schema.length === 0
      ? []
      : ['', 'GraphQL clients', ...firstOf(schemaLines(schema, coloured), 'lines')]),
  ].join('\n')
}

function changeLines(changes: readonly Change[], coloured: boolean): readonly string[] {
  const places = new Map<string, Change[]>()
  for (const one of changes) {
    // A definition may be gone and another have come under its name.
    const key = `${one.how === 'removed' && one.text.startsWith('removed') ? '-' : ''}${one.place}`
    places.set(key, [...(places.get(key) ?? []), one])
  }
  return [...places.values()].flatMap((ofPlace) => {
    const [only, ...others] = ofPlace
    if (!only) return []
    const isWhole = others.length === 0 && /^(?:added|removed)/.test(only.text)
    if (isWhole) return [`  ${marked(only.how, coloured)} ${only.place}: ${sentence(only, coloured)}`]
    return [
      `  ${marked('changed', coloured)} ${only.place}`,
      ...ofPlace.map((one) => `      ${marked(one.how, coloured)} ${sentence(one, coloured)}`),
    ]
  })
}

function marked(how: Change['how'], coloured: boolean): string {
  const [mark, colour] = marks[how]
  return paintIf(coloured, colour, mark)
}

function sentence({ text, breaks }: Change, coloured: boolean): string {
  const broken = breaks.length === 0 ? '' : `  ${paintIf(coloured, 'red', `[breaks ${brokenWords(breaks)}]`)}`
  return `${shownText(text)}${broken}`
}

function schemaLines(schema: readonly SchemaChange[], coloured: boolean): readonly string[] {
  return schema.map(({ text, isBreaking }) => {
    const how = isBreaking ? paintIf(coloured, 'red', 'breaking') : paintIf(coloured, 'yellow', 'dangerous')
    return `  ${how}: ${shownText(text)}`
  })
}

function firstOf(lines: readonly string[], what: string): readonly string[] {
  if (lines.length <= shownLines) return lines
  return [
    ...lines.slice(0, shownLines),
    `  … and ${lines.length - shownLines} more ${what}, which --json lists`,
  ]
}
