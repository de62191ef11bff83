// One static build of the chat page into dist/page. Nothing is fetched while building, and the result asks
// only its own origin. The service worker gets the list of files at the end, because their names carry digests.
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import react from '@vitejs/plugin-react'
import { defineConfig, type Plugin } from 'vite'

const here = path.dirname(fileURLToPath(import.meta.url))

/** KaTeX offers each font three times; every browser that can run this page reads woff2. */
function onlyWoff2(): Plugin {
  return {
    name: 'only-woff2',
    enforce: 'pre',
    transform(code, id) {
      if (!/katex[^/]*\.css/.test(id)) return
      return code.replace(/,\s*url\([^)]*\.(?:woff|ttf)\)\s*format\([^)]*\)/g, '')
    },
  }
}

/**
 * Markdown's entities (&amp;) would be decoded through `innerHTML` in a browser, which trusted types forbid;
 * the same package has a table for every other place.
 */
function entitiesWithoutHtml(): Plugin {
  return {
    name: 'entities-without-html',
    enforce: 'pre',
    async resolveId(source, importer) {
      if (source !== 'decode-named-character-reference') return
      const found = await this.resolve(source, importer, { skipSelf: true })
      return found ? found.id.replace('index.dom.js', 'index.js') : null
    },
  }
}

/** Writes sw.js with the shell's files and a version that changes with any of them. */
function serviceWorker(): Plugin {
  return {
    name: 'service-worker',
    apply: 'build',
    generateBundle(_, bundle) {
      const source = readFileSync(path.join(here, 'app/sw.js'), 'utf8')
      const assets = Object.keys(bundle).filter((name) => name.startsWith('assets/'))
      const shell = ['/', '/theme.js', '/manifest.webmanifest', '/icon.svg', '/icon-192.png']
      const files = [...shell, ...assets.sort().map((name) => `/${name}`)]
      const hash = createHash('sha256').update(files.join('\n'))
      for (const name of ['theme.js', 'manifest.webmanifest', 'icon.svg'])
        hash.update(readFileSync(path.join(here, 'public', name)))
      hash.update(readFileSync(path.join(here, 'app/index.html'))).update(source)
      const version = hash.digest('hex').slice(0, 12)
      this.emitFile({
        type: 'asset',
        fileName: 'sw.js',
        source: source
          .replace('__VERSION__', version)
          .replace("'__FILES__'", files.map((file) => `'${file}'`).join(',\n  ')),
      })
    },
  }
}

export default defineConfig({
  root: path.join(here, 'app'),
  publicDir: path.join(here, 'public'),
  plugins: [entitiesWithoutHtml(), onlyWoff2(), react(), serviceWorker()],
  build: {
    outDir: path.join(here, 'dist/page'),
    emptyOutDir: true,
    target: 'es2022',
    // An asset inlined as data: would be a font that the policy refuses.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 700,
    reportCompressedSize: false,
  },
  server: {
    proxy: { '/v1': 'http://127.0.0.1:8080', '/health': 'http://127.0.0.1:8080' },
  },
})
