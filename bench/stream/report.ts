import type { Range } from '../online/cells.ts'
import type { Finding } from './bench.ts'

const columns = ['what', 'ours [lowest-highest]', 'beside', 'its', 'ratio [lowest-highest]', 'goal', '', 'of']

/** A markdown table, one row a figure. */
export function findingTable(findings: readonly Finding[]): string {
  const lines = findings.map((finding) => {
    const { what, ours, unit, digits, goal, remark } = finding
    const peer = goal.kind === 'TIMES_AT_LEAST' ? goal.peer : null
    return [
      what,
      `${shown(ours, digits)} ${unit}`,
      peer?.name ?? '',
      peer?.kind === 'RUN' ? `${shown(peer.rate, digits)} ${unit}` : '',
      peer?.kind === 'RUN' ? shown(peer.ratio, 2) : '',
      goalText(finding),
      verdict(finding),
      remark,
    ]
  })
  return [columns, columns.map(() => '---'), ...lines].map((cells) => `| ${cells.join(' | ')} |`).join('\n')
}

function goalText({ goal, unit }: Finding): string {
  switch (goal.kind) {
    case 'AT_LEAST':
      return `≥ ${goal.value.toLocaleString('en')} ${unit}`
    case 'BELOW':
      return `< ${goal.value.toLocaleString('en')} ${unit}`
    case 'TIMES_AT_LEAST':
      return `≥ ${goal.times} × its rate`
    case 'NONE':
      return ''
  }
}

function verdict({ goal, ours }: Finding): string {
  const outcome = (met: boolean): string => (met ? 'met' : 'NOT MET')
  switch (goal.kind) {
    case 'AT_LEAST':
      return outcome(ours.median >= goal.value)
    case 'BELOW':
      return outcome(ours.median < goal.value)
    case 'TIMES_AT_LEAST':
      return goal.peer.kind === 'RUN'
        ? outcome(goal.peer.ratio.median >= goal.times)
        : `not compared: ${goal.peer.reason}`
    case 'NONE':
      return ''
  }
}

function shown({ median, lowest, highest }: Range, digits: number): string {
  const text = (value: number): string =>
    value.toLocaleString('en', { minimumFractionDigits: digits, maximumFractionDigits: digits })
  return lowest === highest ? text(median) : `${text(median)} [${text(lowest)}-${text(highest)}]`
}
