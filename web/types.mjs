// Writes src/lib/schema.ts from the server's description of its answers: node types.mjs openapi.json [schema.ts]
import { readFileSync, writeFileSync } from 'node:fs'
import openapi, { astToString } from 'openapi-typescript'

// Examples and titles say nothing about types. (A field can be called "title" as well.)
const needless = (key, value) => key.startsWith('example') || (key === 'title' && typeof value === 'string')
const { openapi: version, info, components } = JSON.parse(readFileSync(process.argv[2], 'utf8'), (key, value) =>
  needless(key, value) && key !== '' ? undefined : value,
)
const described = { openapi: version, info: { title: '', ...info }, paths: {}, components: { schemas: components.schemas } }
const types = astToString(await openapi(described, { defaultNonNullable: false }))
writeFileSync(process.argv[3] ?? new URL('src/lib/schema.ts', import.meta.url), `// Written by \`npm run types\` from the server openapi.json. Do not edit.\n${types}`)
