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
      'scripts/*.test.mjs',
    ],
    pool: 'forks',
    maxWorkers: 2,
    // For machines with a core or two and much else to do; nothing here takes so long on a quiet one.
    testTimeout: 180_000,
    hookTimeout: 180_000,
    expect: { poll: { timeout: 20_000 } },
  },
})
