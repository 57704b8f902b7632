import { readFileSync } from 'node:fs'

/** What npm puts between itself and a script. */
const shells: ReadonlySet<string> = new Set(['sh', 'dash', 'bash', 'ash', 'zsh', 'busybox'])
const pollMs = 500

/**
 * Calls back once when the process that started this one has ended, where that was npm or npx: they do not always pass
 * a signal on, and nobody else would end the process then. Where something else started it, never: a process of its own
 * may well outlive what started it. Returns how to stop watching; keeps no process alive.
 */
export function whenStarterEnds(
  environment: Readonly<Record<string, string | undefined>>,
  onEnded: () => void,
): () => void {
  if (environment['npm_execpath'] === undefined) return () => {}
  const parent = process.ppid
  const shell = statusOf(parent)
  // The shell of a script waits for us, and so stays when npm alone is killed.
  const starter = shell !== null && shells.has(shell.name) ? shell.parent : null
  const timer = setInterval(() => {
    if (process.ppid === parent && (starter === null || statusOf(parent)?.parent === starter)) return
    clearInterval(timer)
    onEnded()
  }, pollMs)
  timer.unref()
  return () => clearInterval(timer)
}

interface ProcessStatus {
  readonly name: string
  readonly parent: number
}

/** By Linux' `/proc`; null elsewhere, and where the process is gone. */
function statusOf(pid: number): ProcessStatus | null {
  let text: string
  try {
    text = readFileSync(`/proc/${pid}/stat`, 'utf8')
  } catch {
    return null
  }
  const [, name, parent] = /^\d+ \((.*)\) \S+ (\d+) /s.exec(text) ?? []
  return name === undefined ? null : { name, parent: Number(parent) }
}
