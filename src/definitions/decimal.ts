import type { Accepted } from './value.ts'

/**
 * A decimal(n) is a whole number of units of 10^-n that fits into 64 bits, its *scaled* integer. As a value it is a number
 * while it has at most 15 digits, which float64 keeps and prints without loss, else its text with n digits behind the point.
 */
export type Decimal = number | string

const exactScaled = 1e15
const maxScaled = 9_223_372_036_854_775_807n
const minScaled = -9_223_372_036_854_775_808n

const powers = [1, 10, 100, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9]

/** 10^n for n up to 9. */
export function powerOfTen(digits: number): number {
  return powers[digits] ?? 1
}

/** The value of a scaled integer. */
export function decimalOf(scaled: number | bigint, digits: number): Decimal {
  if (scaled < exactScaled && scaled > -exactScaled) return Number(scaled) / powerOfTen(digits)
  return decimalText(BigInt(scaled), digits)
}

/** The scaled integer of a value in the form of `decimalOf`. */
export function scaledOf(value: Decimal, digits: number): bigint {
  if (typeof value === 'number') return BigInt(Math.round(value * powerOfTen(digits)))
  return BigInt(value.replace('.', ''))
}

/** With all of its digits, as `-0.50`. */
export function decimalText(scaled: bigint, digits: number): string {
  const all = (scaled < 0n ? -scaled : scaled).toString().padStart(digits + 1, '0')
  const point = all.length - digits
  const sign = scaled < 0n ? '-' : ''
  return digits === 0 ? sign + all : `${sign}${all.slice(0, point)}.${all.slice(point)}`
}

export function isDecimalScaled(scaled: bigint): boolean {
  return scaled <= maxScaled && scaled >= minScaled
}

/** The least and the greatest value, as text. */
export function decimalBounds(digits: number): { readonly min: string; readonly max: string } {
  return { min: decimalText(minScaled, digits), max: decimalText(maxScaled, digits) }
}

const decimalPattern = /^([+-]?)(\d+)(?:\.(\d*))?(?:[eE]([+-]?\d{1,3}))?$/

/**
 * Reads exactly: text as it stands, a number by its shortest text; zeros behind the last digit count for nothing. A number
 * of more than 15 digits could have been rounded on its way and is refused, unless it is a safe integer. NaN is null.
 */
export function acceptDecimal(digits: number, input: unknown): Accepted<Decimal | null> {
  if (typeof input === 'number') {
    const scaled = Math.round(input * powerOfTen(digits))
    if (Math.abs(scaled) < exactScaled && scaled / powerOfTen(digits) === input) {
      // Not -0, which is no other value.
      return { ok: true, value: input + 0 }
    }
    if (Number.isNaN(input)) return { ok: true, value: null }
  }
  if (!['number', 'string', 'bigint'].includes(typeof input)) return refused(formExpected(digits))
  const scaled = readScaled(String(input), digits)
  if (typeof scaled === 'string') return refused(scaled)
  if (!isDecimalScaled(scaled)) {
    const { min, max } = decimalBounds(digits)
    return refused(`a decimal(${digits}), from ${min} to ${max}`)
  }
  const isRounded = typeof input === 'number' && !Number.isSafeInteger(input)
  if (isRounded && (scaled >= exactScaled || scaled <= -exactScaled))
    return refused(
      `a decimal(${digits}) of more than 15 digits as text, since a JSON number could be rounded`,
    )
  return { ok: true, value: decimalOf(scaled, digits) }
}

/** The scaled integer of any size; or what is expected. */
function readScaled(text: string, digits: number): bigint | string {
  const match = decimalPattern.exec(text)
  if (match === null) return formExpected(digits)
  const [, sign = '', whole = '', fraction = '', exponent = '0'] = match
  const zeros = /0*$/.exec(whole + fraction)?.[0].length ?? 0
  const significant = (whole + fraction).slice(0, (whole + fraction).length - zeros)
  if (significant === '') return 0n
  // Zeros to be put behind the significant digits.
  const shift = digits + Number(exponent) - fraction.length + zeros
  if (shift < 0) return `a decimal(${digits}): at most ${digits} digits behind the point`
  const scaled = BigInt(significant) * 10n ** BigInt(shift)
  return sign === '-' ? -scaled : scaled
}

function formExpected(digits: number): string {
  return `a decimal(${digits}): a number, or its text, with at most ${digits} digits behind the point`
}

function refused(expected: string): Accepted<never> {
  return { ok: false, expected }
}
