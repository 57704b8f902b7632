import { BadUserInput } from '../../errors.ts'
import { checkedDrafts } from '../../init/check-drafts.ts'
import type { FoundTable } from '../../init/found-table.ts'
import { printDefinitions } from '../../init/print-definitions.ts'
import type { ProjectContent } from '../../init/project-files.ts'
import { testOfFirstView, tryFoundDefinitions } from '../../init/try-definitions.ts'

/**
 * A project's content for tables or files.
 * @throws BadUserInput where nothing of them could be mapped, with every reason.
 */
export function foundContent(
  tables: readonly FoundTable[],
  origin: string,
  more: ProjectContent['files'],
): ProjectContent {
  const drafts = checkedDrafts(tables)
  if (drafts.definitions.length === 0) {
    const reasons = drafts.leftOut.map(({ what, reason }) => `\n  ${what}: ${reason}`)
    throw new BadUserInput(`no definition could be written from ${origin}:${reasons.join('')}`)
  }
  return {
    files: [
      { path: 'schema/definitions.ts', text: printDefinitions(drafts, origin) },
      { path: 'test/definitions.test.ts', text: testOfFirstView(drafts) },
      ...more,
    ],
    example: tryFoundDefinitions(drafts),
  }
}
