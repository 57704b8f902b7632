import { Lexer, Source, TokenKind } from 'graphql'
import type { DocumentLimits } from './document-limits.ts'

/** What stands under one response name; fields of it that are written again are merged into it. */
type Selected = Map<string, Selected>

/**
 * The first limit that a document's text is over; null: none, or it is no GraphQL, which the parser words better. It reads
 * tokens only, builds no tree, does not recurse, and stops at the limit, so that its cost is bounded by them.
 */
export function scanDocument(text: string, limits: DocumentLimits): keyof DocumentLimits | null {
  // Each character is a byte at least.
  if (text.length > limits.bytes || Buffer.byteLength(text) > limits.bytes) return 'bytes'
  try {
    return scan(new Lexer(new Source(text)), limits)
  } catch {
    return null
  }
}

function scan(lexer: Lexer, limits: DocumentLimits): keyof DocumentLimits | null {
  const counts = { tokens: 0, aliases: 0, definitions: 0, repeats: 0 }
  /** By type: fragments of one count as if all were spread at one place. */
  const ofFragments: Selected = new Map()
  let isFragment = false
  const selections: Selected[] = []
  /** What an opening brace selects from. */
  let below: Selected = new Map()
  /** Parentheses and what stands in them: arguments and variables, whose names select nothing. */
  let inside = 0
  let alias = ''

  const select = (name: string): void => {
    const around = selections.at(-1)
    if (around === undefined) return
    const known = around.get(name)
    if (known) counts.repeats += 1
    below = known ?? new Map()
    if (!known) around.set(name, below)
  }

  for (let token = lexer.advance(); token.kind !== TokenKind.EOF; token = lexer.advance()) {
    counts.tokens += 1
    switch (token.kind) {
      case TokenKind.PAREN_L:
      case TokenKind.BRACKET_L:
        inside += 1
        break
      case TokenKind.PAREN_R:
      case TokenKind.BRACKET_R:
        inside -= 1
        break
      case TokenKind.BRACE_L:
        if (inside > 0) {
          inside += 1
          break
        }
        if (selections.length === 0) counts.definitions += 1
        selections.push(below)
        break
      case TokenKind.BRACE_R:
        if (inside > 0) inside -= 1
        else selections.pop()
        if (selections.length === 0) {
          below = new Map()
          isFragment = false
        }
        break
      case TokenKind.AT:
        skip(lexer, counts)
        break
      case TokenKind.SPREAD:
        if (inside > 0) break
        below = selections.at(-1) ?? below
        // The name of a fragment, or `on` and its type; nothing of it is a field.
        if (lexer.lookahead().kind === TokenKind.NAME && skip(lexer, counts) === 'on') skip(lexer, counts)
        break
      case TokenKind.NAME:
        if (inside > 0) break
        if (selections.length === 0) {
          if (token.value === 'fragment') isFragment = true
          else if (isFragment && token.value === 'on') {
            const type = skip(lexer, counts)
            below = ofFragments.get(type) ?? new Map()
            ofFragments.set(type, below)
          }
        } else if (alias !== '') {
          select(alias)
          alias = ''
        } else if (lexer.lookahead().kind === TokenKind.COLON) {
          alias = token.value
          counts.aliases += 1
          skip(lexer, counts)
        } else select(token.value)
        break
    }
    if (counts.tokens > limits.tokens) return 'tokens'
    if (counts.aliases > limits.aliases) return 'aliases'
    if (counts.definitions > limits.definitions) return 'definitions'
    if (counts.repeats > limits.repeats) return 'repeats'
    if (inside + selections.length > limits.depth) return 'depth'
  }
  return null
}

/** The next token, counted; its text. */
function skip(lexer: Lexer, counts: { tokens: number }): string {
  counts.tokens += 1
  return lexer.advance().value
}
