import { Command } from 'commander'
import { expect, it } from 'vitest'
import { refuseUnknownSubcommands } from '../../src/cli/unknown-subcommands.ts'

/** What a command line is refused with, and how often the command itself has run. */
async function outcome(
  words: readonly string[],
): Promise<{ readonly message: string; readonly runs: number }> {
  let [message, runs] = ['', 0]
  const program = new Command('featuregraph').exitOverride().configureOutput({
    writeErr: (text) => {
      message += text
    },
  })
  const run = (): void => {
    runs += 1
  }
  const stream = program.command('stream').option('--once').action(run)
  for (const name of ['status', 'rebuild']) stream.command(name).argument('[view]').action(run)
  const quarantine = program.command('quarantine')
  quarantine.command('list').argument('[name]').action(run)
  refuseUnknownSubcommands(program)
  await program.parseAsync(['node', 'featuregraph', ...words]).catch(() => {})
  return { message, runs }
}

it('an unknown command below another is refused with what may have been meant, whether the other does something or not', async () => {
  const refusal = (word: string, meant: string) => ({
    message: `error: unknown command '${word}'\n(Did you mean ${meant}?)\n`,
    runs: 0,
  })
  expect(await outcome(['stream', 'rebild'])).toEqual(refusal('rebild', 'rebuild'))
  expect(await outcome(['stream', 'rebild', 'view', '--once'])).toEqual(refusal('rebild', 'rebuild'))
  expect(await outcome(['quarantine', 'lst'])).toEqual(refusal('lst', 'list'))
  expect(await outcome(['stream', 'zzzzzzz'])).toMatchObject({
    message: "error: unknown command 'zzzzzzz'\n(known: status, rebuild)\n",
  })
})

it('the command itself and those below it run as before', async () => {
  for (const words of [
    ['stream'],
    ['stream', '--once'],
    ['stream', 'rebuild', 'view'],
    ['quarantine', 'list', 'x'],
  ])
    expect(await outcome(words)).toEqual({ message: '', runs: 1 })
})
