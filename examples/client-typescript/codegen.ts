import type { CodegenConfig } from '@graphql-codegen/cli'

const config: CodegenConfig = {
  // A running gateway, or a file that `npx featuregraph sdl` has printed.
  schema: process.env['SCHEMA'] ?? 'http://localhost:4000/graphql',
  documents: ['src/**/*.ts', '!src/gql/**'],
  generates: {
    'src/gql/': {
      preset: 'client',
      // The name `useFragment` looks like a hook of React.
      presetConfig: { fragmentMasking: { unmaskFunctionName: 'fragmentData' } },
      config: {
        // A scalar that is not listed here is an error, and none is `any`.
        strictScalars: true,
        scalars: {
          Int64: 'number | string',
          Timestamp: 'string',
          Duration: 'string',
          Bytes: 'string',
        },
        enumsAsTypes: true,
        useTypeImports: true,
        emitLegacyCommonJSImports: false,
        importExtension: '.js',
      },
    },
  },
}

// The command looks for the default export.
export default config
