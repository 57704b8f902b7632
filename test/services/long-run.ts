/**
 * Whether this is `npm run test:long`. What only that runs is `it.runIf(isLong)`, so that a run says how much it left out;
 * each such test says beside it where the suite holds the same promise in a shorter form.
 */
export const isLong = process.env['FEATUREGRAPH_TEST_LONG'] === '1'
