/** File names of the bundled workers beside the page's script, filled in by build.js. */
declare const WORKER_FILES: Readonly<Record<'editor' | 'json' | 'graphql', string>>
