import type { Command } from 'commander'

/**
 * Commands that do something themselves and have commands below them, as `stream` and `stream rebuild`: Commander takes an
 * unknown word there for an argument too many. It is refused as any other unknown command is, with what may have been meant.
 */
export function refuseUnknownSubcommands(program: Command): void {
  for (const command of program.commands) {
    refuseUnknownSubcommands(command)
    if (command.commands.length === 0 || command.registeredArguments.length > 0) continue
    command.allowExcessArguments().hook('preAction', async (_, acting) => {
      const [word] = acting.args
      // The hook is called for the commands below as well.
      if (acting !== command || word === undefined) return
      const { nearest } = await import('../registry/suggest.ts')
      const known = command.commands.map((below) => below.name())
      const meant = nearest(word, known)
      const hint = meant === null ? `known: ${known.join(', ')}` : `Did you mean ${meant}?`
      command.error(`error: unknown command '${word}'\n(${hint})`, { code: 'commander.unknownCommand' })
    })
  }
}
