/** Codings that answers can come in, the preferred one first where a caller weighs both alike. */
const offered = ['br', 'gzip'] as const
export type Coding = (typeof offered)[number]

/** No list of codings is longer; a longer one is not read. */
const longestHeader = 1_024

/** The coding that an `accept-encoding` header asks for (RFC 9110, 12.5.3); null: the answer goes as it is. */
export function acceptedCoding(header: string | readonly string[] | undefined): Coding | null {
  if (typeof header !== 'string' || header.length > longestHeader) return null
  const weights = new Map(header.split(',').map(readCoding))
  const weightOf = (coding: Coding): number => weights.get(coding) ?? weights.get('*') ?? 0
  const [best] = [...offered].sort((left, right) => weightOf(right) - weightOf(left))
  return best === undefined || weightOf(best) <= 0 ? null : best
}

function readCoding(text: string): [coding: string, weight: number] {
  const [coding = '', ...parameters] = text.split(';').map((part) => part.trim().toLowerCase())
  const weight = parameters.find((parameter) => parameter.startsWith('q='))
  return [coding === 'x-gzip' ? 'gzip' : coding, weight === undefined ? 1 : Number(weight.slice(2)) || 0]
}
