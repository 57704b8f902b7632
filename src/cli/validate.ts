import { BadUserInput } from '../errors.ts'
import { systemClock } from '../gateway/system-clock.ts'
import { validate } from '../quality/validate-view.ts'
import { argumentTimestamp } from './argument-timestamp.ts'
import { namedViews } from './named-views.ts'
import { rowCounter } from './progress-bar.ts'
import { withStores } from './with-stores.ts'

/** `featuregraph validate <view>`: what its newest rows break, by feature and rule, on standard output. */
export async function validateView(name: string, { since }: { readonly since?: string }): Promise<void> {
  const from = argumentTimestamp('--since', since)
  await withStores('UNUSED', async ({ registry, stores, checkTables }) => {
    for (const view of namedViews(registry, [name])) {
      if (view.kind === 'STREAM')
        throw new BadUserInput(
          `feature view "${name}" is computed when it is asked for; nothing is stored of it`,
        )
      await checkTables()
      const counter = rowCounter(`validating ${view.name}`, 'rows')
      const { read, broken } = await validate({ ...stores, clock: systemClock }, view, {
        since: from,
        onWait: () =>
          process.stderr.write(`${view.name}: another validation is under way; waiting for its end\n`),
        onProgress: counter.update,
      }).finally(counter.stop)
      for (const { feature, rule, rows } of broken)
        process.stdout.write(`${feature}: ${rule} broken by ${rows} rows\n`)
      const summary = broken.length === 0 ? 'nothing is broken' : 'recorded as violations'
      process.stdout.write(`${view.name}: ${read} rows checked, ${summary}\n`)
    }
  })
}
