#!/usr/bin/env node
// The mock server on port 8080, for work on the page: node packages/web/scripts/mock.mjs, and beside it
// `npx vite` in packages/web, which passes API requests on to it. It also serves the last build itself.
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { runnerImport } from 'vite'

const here = path.dirname(fileURLToPath(import.meta.url))
const { module } = await runnerImport(path.join(here, '../test/mock/server.ts'))
const mock = await module.startMock(Number(process.argv[2] ?? 8080))
process.stdout.write(`mock server: ${mock.url}\n`)
