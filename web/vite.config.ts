import { svelte } from '@sveltejs/vite-plugin-svelte'
import { defineConfig } from 'vitest/config'

// Where `vite` (the development server) finds a running `crossfade serve`.
const server = process.env.CROSSFADE_SERVER ?? 'http://127.0.0.1:8000'

export default defineConfig({
  plugins: [svelte()],
  base: './', // the page works below any path of a proxy
  build: {
    outDir: '../src/crossfade/serve/page',
    emptyOutDir: true,
    assetsInlineLimit: 0, // the policy of the page allows no data: scripts or styles
    modulePreload: { polyfill: false },
    license: { fileName: 'licenses.md' }, // of what is built in
    target: 'es2022',
  },
  server: { proxy: { '/v1': { target: server, changeOrigin: true } } },
  test: { include: ['src/**/*.test.ts'] },
})
