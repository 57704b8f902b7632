import { formatTimestamp, type Micros } from '../../definitions/timestamp.ts'

/*
 * Numbers as JSON.stringify writes them, digit by digit into bytes: a string for each costs two to six times as much. All
 * answer where the text ends; there is room for `longestNumber` bytes behind `at`.
 */

/** `-1.2345678901234567e-300`; a timestamp with its quotes takes 29. */
export const longestNumber = 32

const zero = 48
const minus = 45
const dot = 46
const quote = 34

/** A safe integer. */
export function writeInteger(bytes: Uint8Array, at: number, value: number): number {
  if (value < 0) {
    bytes[at] = minus
    return writeInteger(bytes, at + 1, -value)
  }
  if (value < 1_000_000_000) return writeSmall(bytes, at, value)
  const high = Math.floor(value / 1_000_000_000)
  return writePadded(bytes, writeSmall(bytes, at, high), value - high * 1_000_000_000, 9)
}

function writeSmall(bytes: Uint8Array, at: number, value: number): number {
  const small = value | 0
  if (small < 10) {
    bytes[at] = zero + small
    return at + 1
  }
  return writePadded(bytes, at, small, digitsOf(small))
}

/** From 10 to 999,999,999. */
function digitsOf(value: number): number {
  if (value < 10_000) return value < 100 ? 2 : value < 1_000 ? 3 : 4
  if (value < 1_000_000) return value < 100_000 ? 5 : 6
  return value < 10_000_000 ? 7 : value < 100_000_000 ? 8 : 9
}

/** Of at most nine digits, zeros in front. */
function writePadded(bytes: Uint8Array, at: number, value: number, digits: number): number {
  let rest = value | 0
  for (let place = at + digits - 1; place >= at; place -= 1) {
    const next = (rest / 10) | 0
    bytes[place] = zero + (rest - next * 10)
    rest = next
  }
  return at + digits
}

/** `scaled` / 10 ** `digits`, both exact: at most 15 digits, of which at most 6 behind the point, have no shorter text. */
export function writeScaled(bytes: Uint8Array, at: number, scaled: number, digits: number): number {
  if (scaled < 0) {
    bytes[at] = minus
    return writeScaled(bytes, at + 1, -scaled, digits)
  }
  const power = powers[digits] ?? 1
  const whole = Math.floor(scaled / power)
  const end = writeInteger(bytes, at, whole)
  const fraction = scaled - whole * power
  if (fraction === 0) return end
  bytes[end] = dot
  let last = writePadded(bytes, end + 1, fraction, digits)
  while (bytes[last - 1] === zero) last -= 1
  return last
}

const powers = [1, 10, 100, 1_000, 10_000, 100_000, 1_000_000]

/** What `writeScaled` takes. */
export const mostScaled = { magnitude: 1e15, digits: 6 } as const

/** A finite number. Amounts in cents are the usual ones; others cost what JavaScript's own text of them does. */
export function writeDouble(bytes: Uint8Array, at: number, value: number): number {
  const small = value | 0
  // Also -0, which JSON writes as 0.
  if (small === value) return writeInteger(bytes, at, small)
  const cents = Math.round(value * 100)
  if (cents / 100 === value) {
    if (cents > 0 && cents < 1_000_000_000) return writeCents(bytes, at, cents)
    if (Math.abs(cents) < mostScaled.magnitude) return writeScaled(bytes, at, cents, 2)
  }
  const text = String(value)
  for (let index = 0; index < text.length; index += 1) bytes[at + index] = text.charCodeAt(index)
  return at + text.length
}

/** Of fewer than ten digits, and not whole. */
function writeCents(bytes: Uint8Array, at: number, value: number): number {
  const cents = value | 0
  const whole = (cents / 100) | 0
  const end = writeSmall(bytes, at, whole)
  const fraction = cents - whole * 100
  const tenths = (fraction / 10) | 0
  bytes[end] = dot
  bytes[end + 1] = zero + tenths
  if (fraction === tenths * 10) return end + 2
  bytes[end + 2] = zero + fraction - tenths * 10
  return end + 3
}

let lastDay = Number.NaN
const lastDayBytes = new Uint8Array('2026-11-23T'.length)

/** What `formatTimestamp` answers, in quotes. Rows of one answer share few days. */
export function writeTimestamp(bytes: Uint8Array, at: number, micros: Micros): number {
  const days = Math.floor(micros / 86_400_000_000)
  if (days !== lastDay) {
    const text = formatTimestamp(micros)
    for (let index = 0; index < lastDayBytes.length; index += 1) lastDayBytes[index] = text.charCodeAt(index)
    lastDay = days
  }
  const microsOfDay = micros - days * 86_400_000_000
  const seconds = Math.floor(microsOfDay / 1_000_000)
  const hours = (seconds / 3_600) | 0
  const minutes = ((seconds - hours * 3_600) / 60) | 0
  bytes[at] = quote
  for (let index = 0; index < 11; index += 1) bytes[at + 1 + index] = lastDayBytes[index] ?? 0
  writePadded(bytes, at + 12, hours, 2)
  bytes[at + 14] = 58
  writePadded(bytes, at + 15, minutes, 2)
  bytes[at + 17] = 58
  writePadded(bytes, at + 18, seconds - hours * 3_600 - minutes * 60, 2)
  bytes[at + 20] = dot
  writePadded(bytes, at + 21, microsOfDay - seconds * 1_000_000, 6)
  bytes[at + 27] = 90
  bytes[at + 28] = quote
  return at + 29
}
