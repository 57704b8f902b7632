import type { WriteStream } from 'node:tty'

const codes = { red: [31, 39], yellow: [33, 39], green: [32, 39], dim: [2, 22] } as const
export type Paint = keyof typeof codes

/** Whether the stream shows colours: a terminal, unless NO_COLOR is set to anything (https://no-color.org). */
export function showsColours(
  stream: Pick<WriteStream, 'isTTY'>,
  environment: Readonly<Record<string, string | undefined>> = process.env,
): boolean {
  return stream.isTTY === true && (environment['NO_COLOR'] ?? '') === '' && environment['TERM'] !== 'dumb'
}

/** The text in a colour where the stream shows colours. */
export function paint(stream: Pick<WriteStream, 'isTTY'>, colour: Paint, text: string): string {
  return paintIf(showsColours(stream), colour, text)
}

/** The text in a colour, or as it is. */
export function paintIf(coloured: boolean, colour: Paint, text: string): string {
  const [on, off] = codes[colour]
  return coloured && text !== '' ? `\u001b[${on}m${text}\u001b[${off}m` : text
}
