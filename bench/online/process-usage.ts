import { readFileSync } from 'node:fs'

const tickMicros = 10_000

/** User and system time of all threads of a process, in microseconds, to the kernel's tick of 10 ms; null off Linux. */
export function cpuMicros(pid: number): number | null {
  return timesOf(pid, 14)
}

/** The same of all processes that this one has started and that have ended, and of what those had started. */
export function endedChildrenMicros(): number | null {
  return timesOf(process.pid, 16)
}

/** Of two fields, user and system time, which `man proc` numbers from 1. */
function timesOf(pid: number, first: number): number | null {
  const stat = readProc(pid, 'stat')
  if (stat === null) return null
  // The name, the second field, stands in brackets and may hold anything.
  const behindName = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return (Number(behindName[first - 3]) + Number(behindName[first - 2])) * tickMicros
}

/** Resident memory in bytes; null off Linux. */
export function residentBytes(pid: number): number | null {
  const [, kilobytes] = /^VmRSS:\s*(\d+) kB$/m.exec(readProc(pid, 'status') ?? '') ?? []
  return kilobytes === undefined ? null : Number(kilobytes) * 1_024
}

/** What all cores together have worked since the machine started; null off Linux. */
export function machineMicros(): number | null {
  const line = readProc(null, 'stat')?.split('\n')[0]
  if (line === undefined) return null
  // user, nice, system, (idle, iowait,) irq, softirq, steal
  const [user, nice, system, , , irq, softirq, steal] = line.split(/\s+/).slice(1).map(Number)
  const ticks = [user, nice, system, irq, softirq, steal].reduce<number>((sum, part) => sum + (part ?? 0), 0)
  return ticks * tickMicros
}

function readProc(pid: number | null, file: string): string | null {
  if (process.platform !== 'linux') return null
  return readFileSync(pid === null ? `/proc/${file}` : `/proc/${pid}/${file}`, 'utf8')
}
