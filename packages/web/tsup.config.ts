import { defineConfig } from 'tsup'

// Beside the page that Vite writes to dist/page; so nothing is cleaned here.
export default defineConfig({
  entry: ['src/index.ts'],
  format: 'esm',
  target: 'node20',
  dts: true,
  clean: false,
  tsconfig: 'tsconfig.node.json',
})
