import { readFileSync } from 'node:fs'
import { Command } from 'commander'
import { expect, it } from 'vitest'
import { addExamples, examples } from '../../src/cli/command-examples.ts'

/** From the help. */
const hidden: ReadonlySet<string> = new Set(['dead-letters', 'training-set-job'])

/** Words of every command that `cli.ts` registers, as `stream status`. */
function registered(): readonly string[] {
  const source = readFileSync(new URL('../../src/cli.ts', import.meta.url), 'utf8')
  const words = new Map([['program', '']])
  const found: string[] = []
  for (const [, variable, parent = '', name = ''] of source.matchAll(
    /^(?:const (\w+) = )?(\w+)\n {2}\.command\('([a-z-]+)'/gm,
  )) {
    const command = `${words.get(parent) ?? `${parent}?`} ${name}`.trim()
    if (variable !== undefined) words.set(variable, command)
    const isHidden = command.startsWith('deadLetters') || hidden.has(command)
    if (!isHidden) found.push(command)
  }
  return found
}

it('every command has an example in its help, and no example is of a command that there is not', () => {
  expect(registered().length).toBeGreaterThan(15)
  expect(Object.keys(examples).toSorted()).toEqual(registered().toSorted())
  for (const [words, lines] of Object.entries(examples))
    for (const line of lines) expect(line).toMatch(new RegExp(`(?:^| featuregraph )${words}`))
})

it('help ends with the examples of its command', () => {
  const program = new Command('featuregraph')
  const stream = program.command('stream').description('d')
  stream.command('rebuild').description('d')
  addExamples(program)
  const shown: string[] = []
  stream.configureOutput({ writeOut: (text) => shown.push(text) }).outputHelp()
  expect(shown.join('')).toMatch(/\nExamples:\n {2}featuregraph stream\n {2}featuregraph stream --once\n$/)
})
