import { Code, type Drafted, NamedCall } from './draft.ts'
import type { Drafts } from './draft-definitions.ts'

const lineWidth = 100

/** The module that the drafts are printed as, by the manner of this repository's own definitions. */
export function printDefinitions({ definitions, leftOut }: Drafts, origin: string): string {
  const body = definitions.map(printDefinition).join('\n\n')
  const names = [...body.matchAll(/\b([a-z]\w*)\(/gi)]
    .map(([, name = '']) => name)
    .filter((name) => functions.has(name))
  const imports = [...new Set(names)].sort()
  const list = `import { ${imports.join(', ')} } from 'featuregraph'`
  const wrapped =
    list.length <= lineWidth
      ? list
      : `import {\n${imports.map((name) => `  ${name},\n`).join('')}} from 'featuregraph'`
  const missing = leftOut.map(({ what, reason }) => comment(`Not mapped: ${what}: ${reason}`)).join('\n')
  return `${comment(`Written by featuregraph init from ${origin}: a beginning, which is yours to change.`)}\n${wrapped}\n\n${body}\n${missing === '' ? '' : `\n${missing}\n`}`
}

const functions = new Set([
  ...[
    'entity',
    'eventSource',
    'featureView',
    'windowedView',
    'featureService',
    'postgresSource',
    'fileSource',
  ],
  ...['batch', 'count', 'sum', 'mean', 'countDistinct'],
])

function printDefinition({ writer, name, constant, options, comments }: Drafted): string {
  const head = `export const ${constant} = ${writer}('${name}', `
  return [...comments.map(comment), `${head}${print(options, 0, head.length + 1)})`].join('\n')
}

/** `column`: where the value begins on its line. What does not fit behind it is printed over several lines. */
function print(value: unknown, indent: number, column: number): string {
  const short = printShort(value)
  if (column + short.length <= lineWidth && !isLarge(value, indent)) return short
  const inner = '  '.repeat(indent + 1)
  const close = '  '.repeat(indent)
  if (value instanceof NamedCall) {
    const head = `${value.writer}('${value.name}', `
    return `${head}${print(value.options, indent, column + head.length)})`
  }
  if (value instanceof Code) {
    // A call with many arguments: one a line.
    const [, head, args = ''] = /^([\w.]+)\((.*)\)$/s.exec(value.text) ?? []
    return head === undefined
      ? value.text
      : `${head}(\n${args
          .split(', ')
          .map((one) => `${inner}${one},\n`)
          .join('')}${close})`
  }
  if (Array.isArray(value))
    return `[\n${value.map((item) => `${inner}${print(item, indent + 1, inner.length)},\n`).join('')}${close}]`
  const lines = Object.entries(value as object).map(([name, item]) => {
    const head = `${inner}${key(name)}: `
    return `${head}${print(item, indent + 1, head.length)},\n`
  })
  return `{\n${lines.join('')}${close}}`
}

/** The options of a definition always stand one a line. */
function isLarge(value: unknown, indent: number): boolean {
  return (
    indent === 0 &&
    typeof value === 'object' &&
    value !== null &&
    !Array.isArray(value) &&
    Object.keys(value).length > 1
  )
}

function printShort(value: unknown): string {
  if (value instanceof NamedCall) return `${value.writer}('${value.name}', ${printShort(value.options)})`
  if (value instanceof Code) return value.text
  if (Array.isArray(value)) return `[${value.map(printShort).join(', ')}]`
  if (typeof value === 'string') return quoted(value)
  if (typeof value !== 'object' || value === null) return String(value)
  const entries = Object.entries(value).map(([name, item]) => `${key(name)}: ${printShort(item)}`)
  return `{ ${entries.join(', ')} }`
}

function key(name: string): string {
  return /^[A-Za-z_]\w*$/.test(name) ? name : quoted(name)
}

function quoted(text: string): string {
  const escaped = JSON.stringify(text)
  return text.includes("'") ? escaped : `'${escaped.slice(1, -1).replaceAll('\\"', '"')}'`
}

function comment(text: string): string {
  return `// ${text.replaceAll(/\s+/g, ' ')}`
}
