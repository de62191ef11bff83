// The built chat page, put beside the command that serves it. Without a build (npm run build makes one) the
// command serves the API alone.
import { cpSync, existsSync, rmSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

const here = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..')
const from = path.resolve(here, '..', 'web', 'dist', 'page')
const to = path.join(here, 'dist', 'page')

rmSync(to, { recursive: true, force: true })
if (existsSync(path.join(from, 'index.html'))) cpSync(from, to, { recursive: true })
else process.stderr.write('the chat page is not built: `npm run build` makes it\n')
