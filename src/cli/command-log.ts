import { type DestinationStream, type Logger, pino } from 'pino'
import { showsColours } from './paint.ts'
import { readableLine } from './readable-line.ts'

/** Logs of a command go to standard error, so that its output can be piped. */
export function commandLog(level: string): Logger {
  return openLog(level, process.stderr, pino.destination({ fd: 2, sync: true }))
}

/** Logs of the gateway, to standard output. */
export function gatewayLog(level: string): Logger {
  return openLog(level, process.stdout, pino.destination(1))
}

/** On a terminal lines for a person, elsewhere JSON for what collects them. */
function openLog(level: string, stream: NodeJS.WriteStream, elsewhere: DestinationStream): Logger {
  const forPerson: DestinationStream = {
    write: (line) => stream.write(readableLine(line, showsColours(stream))),
  }
  return pino({ name: 'featuregraph', level }, stream.isTTY ? forPerson : elsewhere)
}
