import { type Paint, paintIf } from './paint.ts'

const levels: Readonly<Record<number, readonly [name: string, colour: Paint]>> = {
  10: ['TRACE', 'dim'],
  20: ['DEBUG', 'dim'],
  30: ['INFO ', 'green'],
  40: ['WARN ', 'yellow'],
  50: ['ERROR', 'red'],
  60: ['FATAL', 'red'],
}

/** What every line has, and what is shown in its own way. */
const framed: ReadonlySet<string> = new Set(['level', 'time', 'pid', 'hostname', 'name', 'msg', 'err'])

/**
 * A line of the log, JSON as pino writes it, for a person: `09:30:00 WARN  message key=value`, an error's stack below it.
 * Times are the machine's. What is no such line stays as it is.
 */
export function readableLine(json: string, coloured: boolean): string {
  let line: Record<string, unknown>
  try {
    line = JSON.parse(json)
  } catch {
    return json
  }
  const [name, colour] = levels[Number(line['level'])] ?? ['', 'dim']
  const time = new Date(Number(line['time'])).toTimeString().slice(0, 8)
  const rest = Object.entries(line)
    .filter(([key]) => !framed.has(key))
    .map(([key, value]) => ` ${key}=${typeof value === 'string' ? value : JSON.stringify(value)}`)
  const head = [paintIf(coloured, 'dim', time), paintIf(coloured, colour, name), String(line['msg'] ?? '')]
  return `${head.join(' ')}${paintIf(coloured, 'dim', rest.join(''))}\n${stackOf(line['err'])}`
}

function stackOf(error: unknown): string {
  if (typeof error !== 'object' || error === null) return ''
  const text = 'stack' in error ? error.stack : 'message' in error ? error.message : ''
  return `${String(text).replace(/^/gm, '    ')}\n`
}
