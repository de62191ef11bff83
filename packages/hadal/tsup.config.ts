import { defineConfig } from 'tsup'

// The internal packages are bundled in; the addon's loader and the embedded model stay packages of their own,
// because they carry files that must be found on disk.
export default defineConfig({
  entry: ['src/index.ts', 'src/cli.ts'],
  format: 'esm',
  target: 'node20',
  clean: true,
  splitting: true,
  noExternal: [/^@hadal\/(?!native|nano)/],
  external: ['@hadal/native', '@hadal/nano'],
})
