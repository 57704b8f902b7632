import { describe, expect, it } from 'vitest'
import { showsColours } from '../../src/cli/paint.ts'
import { readableLine } from '../../src/cli/readable-line.ts'

const time = new Date(2026, 10, 28, 9, 5, 7).getTime()
const line = (fields: object) =>
  `${JSON.stringify({ level: 40, time, pid: 1, hostname: 'h', name: 'featuregraph', msg: 'said', ...fields })}\n`

describe('a line of the log on a terminal', () => {
  it('has the time, the level, the message, then what else it holds, and the stack of an error below', () => {
    expect(readableLine(line({}), false)).toBe('09:05:07 WARN  said\n')
    expect(readableLine(line({ level: 30, reqId: 'a-1', views: ['x'] }), false)).toBe(
      '09:05:07 INFO  said reqId=a-1 views=["x"]\n',
    )
    const err = { type: 'Error', message: 'broke', stack: 'Error: broke\n    at here' }
    expect(readableLine(line({ level: 50, err }), false)).toBe(
      '09:05:07 ERROR said\n    Error: broke\n        at here\n',
    )
  })

  it('is coloured by its level, and only where it is asked for', () => {
    expect(readableLine(line({}), true)).toContain('\u001b[33mWARN \u001b[39m said')
    expect(readableLine(line({}), false)).not.toContain('\u001b')
  })

  it('that is no JSON stays as it is', () => {
    expect(readableLine('no JSON\n', true)).toBe('no JSON\n')
  })
})

it('colours are for terminals that show them, unless NO_COLOR is set', () => {
  const terminal = { isTTY: true }
  expect(showsColours(terminal, {})).toBe(true)
  expect(showsColours(terminal, { NO_COLOR: '' })).toBe(true)
  expect(showsColours(terminal, { NO_COLOR: '1' })).toBe(false)
  expect(showsColours(terminal, { TERM: 'dumb' })).toBe(false)
  expect(showsColours({ isTTY: false }, {})).toBe(false)
})
