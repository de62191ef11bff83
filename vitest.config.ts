import { defineConfig } from 'vitest/config'

// Packages whose `exports` point at dist for Node show their sources under this condition.
const conditions = ['@hadal/source', 'module', 'node', 'development|production']

export default defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions } },
  test: {
    include: [
      'packages/*/src/**/*.test.ts',
      'packages/web/{app,test}/**/*.test.ts',
      'bench/**/*.test.mjs',
    ],
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
})
