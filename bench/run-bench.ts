import { loadavg } from 'node:os'

type End = () => unknown

const ends: End[] = []

/** What a bench has started, ended once its work is over, the last first. Every process also ends by itself when the bench dies. */
export function endWith(...more: readonly End[]): void {
  ends.push(...more)
}

async function endAll(): Promise<void> {
  for (const end of ends.splice(0).reverse()) await end()
}

/** An answer that is not what was expected: no figure stands beside it. */
export class WrongAnswers extends Error {
  override readonly name = 'WrongAnswers'
}

/** To the person who watches; standard output has the results. */
export function say(line: string): void {
  process.stderr.write(`${line}\n`)
}

/** Load averages of 1, 5 and 15 minutes, as `0.3 0.4 0.2`. */
export function loads(): string {
  return loadavg()
    .map((load) => load.toFixed(1))
    .join(' ')
}

/** Numbers of things, as options give them; null where one is no whole number above 0. */
export function wholeNumbers<Name extends string>(
  texts: Readonly<Record<Name, string>>,
): Readonly<Record<Name, number>> | null {
  const numbers = Object.entries<string>(texts).map(([name, text]) => [name, Number(text)] as const)
  if (!numbers.every(([, number]) => Number.isSafeInteger(number) && number > 0)) return null
  return Object.fromEntries(numbers) as Record<Name, number>
}

/**
 * A bench from its options to its exit code. `--help` prints the usage; so do options that there are not, or that make no
 * sense, which `readOptions` answers by null. However the work ends, also by a signal, what it has started is ended.
 */
export async function runBench<Options>(
  usage: string,
  readOptions: () => Options | null,
  work: (options: Options) => Promise<void>,
): Promise<void> {
  if (process.argv.includes('--help')) return say(usage)
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.once(signal, () => void endAll().finally(() => process.exit(130)))
  try {
    const options = readOptions()
    if (options === null) {
      process.exitCode = 1
      return say(usage)
    }
    await work(options)
  } catch (error) {
    process.exitCode = 1
    say(error instanceof WrongAnswers ? `WRONG ANSWERS: ${error.message}` : shown(error))
  } finally {
    await endAll()
  }
}

function shown(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error)
}
