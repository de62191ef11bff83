import { copyFileSync } from 'node:fs'
import { defineConfig } from 'tsup'

export default defineConfig({
  entry: ['src/index.ts'],
  format: 'esm',
  target: 'node20',
  dts: true,
  clean: true,
  external: ['./load.cjs'],
  // The loader keeps its literal require calls, so it is copied and not bundled; it looks for
  // ../build/hadal.node, which is the same folder from src/ and from dist/.
  onSuccess: async () => copyFileSync('src/load.cjs', 'dist/load.cjs'),
})
