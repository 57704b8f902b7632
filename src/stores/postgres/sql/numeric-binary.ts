import { type Decimal, powerOfTen, scaledOf } from '../../../definitions/decimal.ts'

/**
 * A `numeric` in the binary format of Postgres (`numeric_send` in its source): how many digits of base 10,000, the power of
 * the first one, the sign, how many decimal digits are shown behind the point, then the digits.
 */

const base = 10_000
const decimalsPerDigit = 4
const negative = 0x4000

/** Of a decimal in the form of `decimalOf`. */
export function numericBytes(value: Decimal, digits: number): Buffer {
  // Whole digits of base 10,000 behind the point.
  const behind = Math.ceil(digits / decimalsPerDigit)
  const parts =
    typeof value === 'number' ? shortParts(value, digits, behind) : longParts(value, digits, behind)
  const isNegative = typeof value === 'number' ? value < 0 : value.startsWith('-')
  const weight = parts.length - behind - 1
  while (parts.at(-1) === 0) parts.pop()
  const bytes = Buffer.allocUnsafe(8 + 2 * parts.length)
  bytes.writeInt16BE(parts.length, 0)
  bytes.writeInt16BE(parts.length === 0 ? 0 : weight, 2)
  bytes.writeUInt16BE(isNegative ? negative : 0, 4)
  bytes.writeInt16BE(digits, 6)
  for (let index = 0; index < parts.length; index += 1) bytes.writeInt16BE(parts[index] ?? 0, 8 + 2 * index)
  return bytes
}

/** Without a BigInt, which costs ten times as much: nearly every value is one of these. */
function shortParts(value: number, digits: number, behind: number): number[] {
  const unit = powerOfTen(digits)
  const scaled = Math.round(Math.abs(value) * unit)
  const whole = Math.floor(scaled / unit)
  const parts: number[] = []
  let rest = (scaled - whole * unit) * powerOfTen(behind * decimalsPerDigit - digits)
  for (let left = behind; left > 0; left -= 1) {
    parts.unshift(rest % base)
    rest = Math.floor(rest / base)
  }
  for (rest = whole; rest > 0; rest = Math.floor(rest / base)) parts.unshift(rest % base)
  while (parts[0] === 0) parts.shift()
  return parts
}

function longParts(value: string, digits: number, behind: number): number[] {
  const scaled = scaledOf(value, digits)
  let rest = (scaled < 0n ? -scaled : scaled) * 10n ** BigInt(behind * decimalsPerDigit - digits)
  const parts: number[] = []
  for (; rest > 0n; rest /= BigInt(base)) parts.unshift(Number(rest % BigInt(base)))
  return parts
}

/** The units of 10^-digits of a finite value that stands at `at` and has no more digits behind the point. */
export function numericScaled(bytes: Buffer, at: number, digits: number): bigint {
  const count = bytes.readInt16BE(at)
  let units = 0n
  for (let index = 0; index < count; index += 1)
    units = units * BigInt(base) + BigInt(bytes.readInt16BE(at + 8 + 2 * index))
  const power = (bytes.readInt16BE(at + 2) - count + 1) * decimalsPerDigit + digits
  const scaled = power >= 0 ? units * 10n ** BigInt(power) : units / 10n ** BigInt(-power)
  return bytes.readUInt16BE(at + 4) === negative ? -scaled : scaled
}
